//! What can go wrong for a verb, and the exit code that says so to a script.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

pub(super) type Result<T> = std::result::Result<T, Failure>;
pub(super) type Done = Result<()>;

/// The gateway's answer when it refuses: RFC 9457, as `http` writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    /// 0: not an answer of the gateway.
    #[serde(skip_serializing_if = "is_zero")]
    pub status: u16,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    pub detail: String,
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WrongField>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WrongField {
    pub pointer: String,
    pub detail: String,
}

// serde hands over a reference.
fn is_zero(status: &u16) -> bool {
    *status == 0
}

#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments make no sense together; clap has caught the rest.
    Usage(String),
    Refused(Box<Problem>),
    /// No answer, or none that a gateway gives.
    Unreachable(String),
    /// Something on this machine: a file, a pipe, the configuration. `code` is stable.
    Local {
        code: String,
        message: String,
        remedy: Option<String>,
    },
    /// The verb ran and its result, already printed, is not a success.
    Unsuccessful(String),
    /// Whoever read our output has gone, as `head` does: not an error.
    OutputClosed,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(super) fn local(what: impl AsRef<str>, cause: &dyn std::error::Error) -> Self {
        Self::Local { code: "local_error".to_owned(), message: format!("{}: {cause}", what.as_ref()), remedy: None }
    }

    /// 0 ok, 1 error, 2 usage, 3 not found, 4 conflict or denied.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code_number())
    }

    fn code_number(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Usage(_) => 2,
            Self::Refused(problem) => match problem.status {
                404 | 410 => 3,
                401 | 403 | 409 | 412 => 4,
                _ => 1,
            },
            Self::Unreachable(_) | Self::Local { .. } | Self::Unsuccessful(_) => 1,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        let plain =
            |code: &str, detail: &str, remedy: Option<String>| Problem { code: code.to_owned(), detail: detail.to_owned(), remedy, ..Problem::default() };
        match self {
            Self::Refused(problem) if problem.status == 401 => {
                Problem { remedy: Some("set PORTCULLIS_TOKEN (or --token) to a token of this gateway".to_owned()), ..(**problem).clone() }
            }
            Self::Refused(problem) => (**problem).clone(),
            Self::Usage(message) => plain("usage", message, Some("see --help".to_owned())),
            Self::Unreachable(message) => plain("unreachable", message, Some("is the gateway running, and does PORTCULLIS_URL (or --url) name it?".to_owned())),
            Self::Local { code, message, remedy } => plain(code, message, remedy.clone()),
            Self::Unsuccessful(message) => plain("unsuccessful", message, None),
            Self::OutputClosed => Problem::default(),
        }
    }

    /// For people: code, message, what to do, each wrong field.
    pub(super) fn text(&self) -> String {
        let problem = self.problem();
        let mut text = format!("error: {}: {}", problem.code, problem.detail);
        for WrongField { pointer, detail } in &problem.errors {
            // The only one may be all that the sentence says.
            if problem.detail != format!("{pointer}: {detail}") {
                let _ = write!(text, "\n  {pointer}: {detail}");
            }
        }
        if problem.errors.iter().any(|field| field.pointer.starts_with("/config/") && field.detail.contains("is not of type")) {
            text.push_str("\n  --set NAME=VALUE is text; numbers, lists and true or false are --set NAME:=VALUE");
        }
        if let Some(remedy) = &problem.remedy {
            let _ = write!(text, "\n  remedy: {remedy}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_documented_exit_code() {
        let refused = |status| Failure::Refused(Box::new(Problem { status, ..Problem::default() }));
        for (failure, code) in [
            (Failure::usage("no"), 2),
            (refused(400), 1),
            (refused(404), 3),
            (refused(410), 3),
            (refused(401), 4),
            (refused(403), 4),
            (refused(409), 4),
            (refused(412), 4),
            (refused(429), 1),
            (refused(502), 1),
            (Failure::Unreachable(String::new()), 1),
            (Failure::Unsuccessful(String::new()), 1),
            (Failure::OutputClosed, 0),
        ] {
            assert_eq!(failure.code_number(), code, "{failure:?}");
        }
    }

    #[test]
    fn an_error_is_printed_with_code_message_fields_and_remedy() {
        let problem = Problem {
            status: 422,
            code: "invalid_field".to_owned(),
            detail: "/name: too short".to_owned(),
            remedy: Some("take a longer one".to_owned()),
            errors: vec![WrongField { pointer: "/name".to_owned(), detail: "too short".to_owned() }],
            ..Problem::default()
        };
        let text = Failure::Refused(Box::new(problem)).text();
        assert_eq!(text, "error: invalid_field: /name: too short\n  remedy: take a longer one");
    }
}
