//! Pure decisions: where a connection may reach, which addresses may be dialled, who may do what. No IO; each denial says why.

pub mod address;
mod credential;
mod egress;
mod host;
mod permit;
mod template;
mod web;

pub use address::AddressPolicy;
pub use egress::{Egress, EgressRule};
pub use permit::{Action, Grant, Permit, Resource, S3Read};
pub use template::Template;
pub use web::WebRequest;
