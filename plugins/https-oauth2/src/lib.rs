//! Connector `https_oauth2`: files behind an https server that wants an OAuth 2 access token.

pub mod plan;

portcullis_plugin::export!(plan::HttpsOauth2);
