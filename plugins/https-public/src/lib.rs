//! Connector `https_public`: files of one https server that anybody may read.

pub mod plan;

portcullis_plugin::export!(plan::HttpsPublic);
