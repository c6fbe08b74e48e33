//! Connector `https_header`: files behind an https server that wants a key in a header.

pub mod plan;

portcullis_plugin::export!(plan::HttpsHeader);
