//! Connector `aws_bucket_policy`: buckets whose own policy lets the gateway's role in. The default connection is of this type.

pub mod plan;

portcullis_plugin::export!(plan::AwsBucketPolicy);
