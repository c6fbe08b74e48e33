//! Connector `azure_blob`: blobs of one container of Azure Blob Storage, signed with the account's key.

pub mod plan;
mod shared_key;

portcullis_plugin::export!(plan::AzureBlob);
