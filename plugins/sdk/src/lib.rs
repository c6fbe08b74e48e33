//! What an author of a connector uses: the contract's types, the [`Connector`] trait and [`export!`].
//!
//! A connector is a pure function from settings and source paths to a plan; the gateway judges the plan, joins it with
//! the secret and moves the bytes. So nothing in here can hold a secret, open a socket or read an object.

pub mod aws;
mod bindings;
mod connector;
mod describe;
mod export;
pub mod http;
pub mod https;
pub mod log;
#[cfg(target_arch = "wasm32")]
mod memory;
mod percent;
mod plan;
mod recipe;
pub mod s3;
mod settings;
mod stage;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod types;

pub use bindings::portcullis::connector::types::{
    AssumeRoleCredential, BasicCredential, Credential, Document, Entry, Error, ErrorKind, FieldError, Finding, HeaderCredential, Hmac, HttpObject, Location,
    Oauth2Credential, Page, Piece, Plan, Principal, RequestPart, S3Object, SetupStep, Target, TimestampFormat,
};
pub use connector::{Capability, Connector};
pub use describe::describe;
pub use recipe::{Recipe, Step};
pub use settings::Secret;

/// The plugin in the README is compiled as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// For [`export!`] alone.
#[doc(hidden)]
pub mod exported {
    pub use crate::bindings::{export, exports};
    pub use crate::export::Exported;
}
