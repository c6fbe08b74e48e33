//! Connector `aws_account_role`: buckets that a role of agreed name may read, in one account and region.

pub mod plan;
mod setup;

portcullis_plugin::export!(plan::AwsAccountRole);
