//! Connector `aws_iam_role`: a bucket (or Bedrock) behind a role that the customer lets the gateway assume.

mod checks;
pub mod plan;
mod setup;

portcullis_plugin::export!(plan::AwsIamRole);
