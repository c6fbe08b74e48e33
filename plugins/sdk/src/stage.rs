//! Which check a failure belongs to: the gateway's code says how far a request came, and so what was in order before it failed.

use crate::{Error, ErrorKind, Finding};

/// What a request passes on its way, in order, and what it means that it has passed.
const WAY: [(&str, &str); 3] = [
    ("name_resolution", "the host's name has an address that may be dialled"),
    ("connection", "the server takes connections"),
    ("tls", "the server's certificate is valid for this name"),
];

/// `error` under the check that it is about; `asked`, where the request itself was refused.
pub(crate) fn failed(asked: &str, error: &Error) -> Finding {
    Finding::failed(check_of(&error.code).unwrap_or(asked), error)
}

fn check_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "connection_refused" | "connect_timeout" | "connect_failed" | "host_unreachable" => "connection",
        "sts_region_disabled" => "sts_region",
        "clock_skew" => "clock",
        "signature_rejected" => "sign",
        _ if code.starts_with("dns_") => "name_resolution",
        _ if code.starts_with("tls_") => "tls",
        _ if code.starts_with("kms_") => "kms",
        _ if code.starts_with("oauth2_") => "token",
        _ => return None,
    })
}

/// All of an https request's way, once the server has answered.
pub(crate) fn arrived() -> Vec<Finding> {
    WAY.iter().map(|(check, message)| Finding::ok(check, *message)).collect()
}

/// How far an https request came before it failed. What was not come to is left out, and so is all of it where that cannot be told.
pub(crate) fn on_the_way(asked: &str, error: &Error) -> Vec<Finding> {
    let failed = failed(asked, error);
    let mut findings = arrived();
    match WAY.iter().position(|(check, _)| *check == failed.check) {
        Some(stage) => findings.truncate(stage),
        None if failed.check == asked && was_sent(error) => {}
        None => findings.clear(),
    }
    findings.push(failed);
    findings
}

/// Whether the error is about an answer to the request, or the lack of one.
fn was_sent(error: &Error) -> bool {
    const WITHOUT_ANSWER: [&str; 7] =
        ["answer_timeout", "closed_without_answer", "upstream_throttled", "request_timed_out", "upstream_unavailable", "bad_gateway", "server_error"];
    match error.kind {
        ErrorKind::Rejected => error.code != "credential_unusable",
        ErrorKind::NotFound => true,
        ErrorKind::Unavailable => WITHOUT_ANSWER.contains(&error.code.as_str()),
        ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::LimitExceeded | ErrorKind::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l12_what_was_not_come_to_is_not_invented() {
        for (kind, code, expected) in [
            (ErrorKind::Unavailable, "dns_name_not_found", vec!["name_resolution dns_name_not_found"]),
            (ErrorKind::Denied, "dns_private_address", vec!["name_resolution dns_private_address"]),
            (ErrorKind::Unavailable, "connection_refused", vec!["name_resolution ok", "connection connection_refused"]),
            (ErrorKind::Rejected, "tls_wrong_name", vec!["name_resolution ok", "connection ok", "tls tls_wrong_name"]),
            (ErrorKind::Rejected, "permission_denied", vec!["name_resolution ok", "connection ok", "tls ok", "request permission_denied"]),
            (ErrorKind::Rejected, "oauth2_refused", vec!["token oauth2_refused"]),
            (ErrorKind::Denied, "scope_violation", vec!["request scope_violation"]),
            (ErrorKind::Unavailable, "host_call_timeout", vec!["request host_call_timeout"]),
        ] {
            let findings = on_the_way("request", &Error::new(kind, code, "why"));
            let found: Vec<_> = findings.iter().map(|finding| format!("{} {}", finding.check, finding.code)).collect();
            assert_eq!(found, expected, "{code}");
            assert!(findings.iter().all(|finding| finding.passed || finding.remedy.is_some()), "{findings:?}");
        }
    }
}
