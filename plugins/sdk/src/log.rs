//! Lines for the operator's log. The gateway escapes and cuts them.

pub use crate::bindings::portcullis::connector::log::Level;

#[cfg(target_arch = "wasm32")]
pub use crate::bindings::portcullis::connector::log::write;
#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::log_write as write;
