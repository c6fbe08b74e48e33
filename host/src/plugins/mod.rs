//! The connectors this gateway has: the catalogue of loaded plugins, and how their settings are judged.

mod catalogue;
mod settings;

pub use catalogue::{Catalogue, Connector};
pub use settings::{Parted, Schema, immutable_external_id, merge};
