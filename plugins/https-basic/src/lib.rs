//! Connector `https_basic`: files behind an https server that wants a user name and a password.

pub mod plan;

portcullis_plugin::export!(plan::HttpsBasic);
