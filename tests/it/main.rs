//! The one integration binary: what the running gateway and the doubles show from outside.

mod doubles;
mod plugins;
mod runtime;
mod strict;
