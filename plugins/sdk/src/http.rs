//! Capability `http`, during `check` and `list`: what the gateway asks an origin for, inside the connection's egress.

pub use crate::bindings::portcullis::connector::http::Answer;

#[cfg(target_arch = "wasm32")]
pub use crate::bindings::portcullis::connector::http::{get_document, head};
#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::http::{get_document, head};
