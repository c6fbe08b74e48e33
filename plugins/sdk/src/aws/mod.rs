//! Capability `aws`, during `check` and `list`: what the gateway asks AWS for. Beside it the names and policies of AWS.

mod names;
mod node;
pub mod policy;
mod role;
pub mod setup;

pub use crate::bindings::portcullis::connector::aws::{ExternalIdVerdict, Identity, ObjectInfo};
pub use names::{RoleArn, partition_of};
pub(crate) use names::{dns_suffix, looks_like_region};
pub use role::check_role;

#[cfg(target_arch = "wasm32")]
pub use crate::bindings::portcullis::connector::aws::{acquire, bucket_region, caller_identity, head, list, probe_external_id, probe_read};
#[cfg(not(target_arch = "wasm32"))]
pub use crate::testing::aws::{acquire, bucket_region, caller_identity, head, list, probe_external_id, probe_read};
