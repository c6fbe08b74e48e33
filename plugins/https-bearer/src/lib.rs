//! Connector `https_bearer`: files behind an https server that wants a bearer token.

pub mod plan;

portcullis_plugin::export!(plan::HttpsBearer);
