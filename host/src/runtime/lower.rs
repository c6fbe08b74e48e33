//! `model` to WIT: what the guest is told. No secret is in any of it: the broker answers with none.

use super::bindings::portcullis::connector::aws::ExternalIdVerdict;
use super::bindings::portcullis::connector::types;
use crate::broker;
use crate::model::{Entry, Error, Kind, Page, Principal};

pub fn kind(kind: Kind) -> types::ErrorKind {
    match kind {
        Kind::Invalid | Kind::Conflict => types::ErrorKind::Invalid,
        Kind::NotFound => types::ErrorKind::NotFound,
        Kind::Denied => types::ErrorKind::Denied,
        Kind::Rejected => types::ErrorKind::Rejected,
        Kind::Unavailable => types::ErrorKind::Unavailable,
        Kind::LimitExceeded => types::ErrorKind::LimitExceeded,
        Kind::PluginFault | Kind::Internal => types::ErrorKind::Internal,
    }
}

/// Never the source: that is for the operator's log. `exact`: a test of a connection is told the cause, not the family it is of.
pub fn error(error: &Error, exact: bool) -> types::Error {
    let code = if exact { error.cause() } else { error.code() };
    types::Error { kind: kind(error.kind()), code: code.to_owned(), message: error.message().to_owned(), remedy: error.remedy().map(str::to_owned) }
}

pub fn page(page: Page) -> types::Page {
    let entry = |Entry { path, size, etag, last_modified }: Entry| types::Entry { path, size, etag, last_modified };
    types::Page { entries: page.entries.into_iter().map(entry).collect(), prefixes: page.prefixes, next: page.next }
}

pub fn verdict(verdict: broker::ExternalIdVerdict) -> ExternalIdVerdict {
    match verdict {
        broker::ExternalIdVerdict::Secure => ExternalIdVerdict::Secure,
        broker::ExternalIdVerdict::NotRequired => ExternalIdVerdict::NotRequired,
        broker::ExternalIdVerdict::AnyAccepted => ExternalIdVerdict::AnyAccepted,
        broker::ExternalIdVerdict::Unverified => ExternalIdVerdict::Unverified,
    }
}

pub fn principal(principal: &Principal) -> types::Principal<'_> {
    let Principal { platform_name, account_id, role_arn, organization } = principal;
    types::Principal { platform_name, account_id, role_arn, organization }
}
