//! The one error of the gateway: what kind, which stable code, what to tell, what to do.
//!
//! A message may be shown to the caller; a source goes to the log only. Neither holds a secret or a whole signed URL.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

pub type Result<T, E = Error> = std::result::Result<T, E>;
type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Who is to blame. Closed: HTTP, WIT and the job engine each match it without a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request is wrong.
    Invalid,
    NotFound,
    /// The state does not allow it: a stale version, a taken name, a disabled connection.
    Conflict,
    /// Our policy says no.
    Denied,
    /// The remote says no.
    Rejected,
    /// The remote, or a part of the gateway, cannot answer now.
    Unavailable,
    LimitExceeded,
    /// The plugin broke its contract: trapped, ran too long, returned nonsense.
    PluginFault,
    /// Our defect.
    Internal,
}

impl Kind {
    /// As it is serialized.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::LimitExceeded => "limit_exceeded",
            Self::PluginFault => "plugin_fault",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        match self {
            Self::Unavailable => true,
            Self::Invalid | Self::NotFound | Self::Conflict | Self::Denied | Self::Rejected | Self::LimitExceeded | Self::PluginFault | Self::Internal => false,
        }
    }
}

/// One wrong field: where (JSON Pointer, RFC 6901) and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    pub pointer: String,
    pub message: String,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// A name as one JSON Pointer segment (RFC 6901), cut at 128 characters: it may be a caller's.
#[must_use]
pub fn pointer(name: &str) -> String {
    let cut: String = name.chars().take(128).collect();
    format!("/{}", cut.replace('~', "~0").replace('/', "~1"))
}

/// Boxed, so that `Result<T>` stays as small as `T` on the byte path.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    code: Cow<'static, str>,
    cause: Option<&'static str>,
    message: String,
    remedy: Option<String>,
    fields: Vec<FieldError>,
    retry_after: Option<u32>,
    source: Option<Source>,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => { $(
        pub fn $name(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self { Self::new(Kind::$kind, code, message) }
    )* };
}

impl Error {
    pub fn new(kind: Kind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: code.into(),
            cause: None,
            message: message.into(),
            remedy: None,
            fields: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    constructors! {
        invalid => Invalid, not_found => NotFound, conflict => Conflict, denied => Denied, rejected => Rejected,
        unavailable => Unavailable, limit => LimitExceeded, plugin_fault => PluginFault, internal => Internal,
    }

    /// One wrong field of a request: kind `Invalid`, code `invalid_field`.
    pub fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(pointer, message)])
    }

    pub fn fields(fields: Vec<FieldError>) -> Self {
        let message = match fields.first() {
            Some(first) if fields.len() == 1 => format!("{}: {}", first.pointer, first.message),
            _ => format!("{} fields are wrong", fields.len()),
        };
        let mut error = Self::invalid("invalid_field", message);
        error.0.fields = fields;
        error
    }

    /// Names the fields that another code than `invalid_field` is about.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.0.fields = fields;
        self
    }

    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// The exact cause, where `code` names a family of causes. Programs match the code; who tests a connection is told the cause.
    #[must_use]
    pub fn because(mut self, cause: &'static str) -> Self {
        self.0.cause = Some(cause);
        self
    }

    #[must_use]
    pub fn because_of(mut self, other: &Self) -> Self {
        self.0.cause = other.0.cause;
        self
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Seconds after which the remote, or we, asked to be called again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Puts every field's pointer below `prefix`: what was checked on its own is part of a larger body.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        for field in &mut self.0.fields {
            field.pointer.insert_str(0, prefix);
        }
        if let [only] = self.0.fields.as_slice() {
            self.0.message = format!("{}: {}", only.pointer, only.message);
        }
        self
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }
    /// The exact cause; the code, where that is exact already.
    #[must_use]
    pub fn cause(&self) -> &str {
        self.0.cause.unwrap_or(&self.0.code)
    }
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
    /// What to do: the error's own remedy, or the one that fits its kind. Whoever is shown an error is shown this.
    #[must_use]
    pub fn advice(&self) -> &str {
        self.remedy().unwrap_or(match self.kind() {
            Kind::Invalid => "Correct what is wrong and send it again.",
            Kind::NotFound => "Check how it is spelled. What belongs to another organization is not shown.",
            Kind::Conflict => "Look at how things are now, then send what still holds.",
            Kind::Denied => "Ask an admin of your organization, or an operator of the gateway.",
            Kind::Rejected => "Test the connection: its findings say what the remote refuses. If they do not, ask the remote's owner.",
            Kind::Unavailable => "Try again in a moment. If it stays, ask an operator of the gateway.",
            Kind::LimitExceeded => "Keep to the limit: send less at a time.",
            Kind::PluginFault => "Ask an operator of the gateway: the connector's plugin is at fault, not the request.",
            Kind::Internal => "Ask an operator of the gateway: its log says more.",
        })
    }
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.fields
    }
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

/// With its causes: this is the form for the log.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {self}", self.0.kind)?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, "; caused by {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
