//! Guests written as WebAssembly text, so that each breaks one rule and no other; and what becomes of them.

mod calls;
mod guest;
mod hostile;
mod loading;
