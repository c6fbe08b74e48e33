//! Pure decisions: where a connection may reach, which addresses may be dialled, who may do what. No IO; each denial says why.

pub mod address;
mod egress;
mod permit;

pub use address::AddressPolicy;
pub use egress::{Egress, EgressRule};
pub use permit::{Action, Grant, Permit, Resource, S3Read, WebRequest};
