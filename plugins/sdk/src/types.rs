//! Short ways to make the contract's records.

use crate::{BasicCredential, Credential, Document, Error, ErrorKind, FieldError, Finding, HttpObject, SetupStep};

impl Error {
    /// `code`: stable, `[a-z][a-z0-9_]{2,63}`. `message`: for the customer; it never repeats what could be a signed URL.
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), remedy: None }
    }

    pub fn invalid(code: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, message)
    }

    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl FieldError {
    /// `pointer`: JSON Pointer (RFC 6901) into the settings.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl Finding {
    pub fn ok(check: &str, message: impl Into<String>) -> Self {
        Self { check: check.to_owned(), passed: true, code: "ok".to_owned(), message: message.into(), remedy: None }
    }

    /// The error's own remedy, or the one that fits its kind: a failure never leaves its reader without anything to do.
    #[must_use]
    pub fn failed(check: &str, error: &Error) -> Self {
        let remedy = error.remedy.clone().unwrap_or_else(|| match error.kind {
            ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::LimitExceeded => "Correct the connection's settings or its test location.".to_owned(),
            ErrorKind::NotFound => "Check how it is spelled: upper and lower case count.".to_owned(),
            ErrorKind::Rejected | ErrorKind::Unavailable | ErrorKind::Internal => "Test again; if it stays, ask the operator of the gateway.".to_owned(),
        });
        Self { check: check.to_owned(), passed: false, code: error.code.clone(), message: error.message.clone(), remedy: Some(remedy) }
    }
}

impl Credential {
    /// `password`: the name of the secret setting.
    pub fn basic(username: impl Into<String>, password: &str) -> Self {
        Self::Basic(BasicCredential { username: username.into(), password: password.to_owned() })
    }

    /// `token`: the name of the secret setting.
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self::Bearer(token.to_owned())
    }
}

impl HttpObject {
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), headers: Vec::new() }
    }
}

impl SetupStep {
    pub fn new(title: impl Into<String>, text: impl Into<String>, documents: Vec<Document>) -> Self {
        Self { title: title.into(), text: text.into(), documents }
    }
}
