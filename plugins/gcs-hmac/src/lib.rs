//! Connector `gcs_hmac`: objects of one bucket of Google Cloud Storage, signed with an HMAC key.

pub mod plan;
mod signature;

portcullis_plugin::export!(plan::GcsHmac);
