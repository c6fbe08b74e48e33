//! Errors, all that were seen: their kind fits their code and their export, they have words, and repeat no secret of a URL.

use super::report::Id;
use super::sources::CANARY;
use super::subject::Subject;

/// Codes that mean the same in every connector, and the kinds they have.
const KNOWN: [(&str, &[&str]); 26] = [
    ("scope_violation", &["denied"]),
    ("permission_denied", &["rejected"]),
    ("access_denied", &["rejected"]),
    ("file_not_found", &["not_found"]),
    ("broken_url", &["invalid", "rejected"]),
    ("unsupported_uri_scheme", &["invalid"]),
    ("unsupported_key", &["invalid"]),
    ("unsupported_query", &["invalid"]),
    ("unsupported_s3_form", &["invalid"]),
    ("missing_key", &["invalid"]),
    ("not_s3", &["invalid"]),
    ("website_endpoint", &["invalid"]),
    ("presigned_url", &["invalid"]),
    ("unknown_region", &["invalid"]),
    ("partition_mismatch", &["invalid", "denied"]),
    ("invalid_bucket", &["invalid"]),
    ("invalid_settings", &["invalid"]),
    ("invalid_cursor", &["invalid"]),
    ("invalid_location", &["invalid"]),
    ("list_not_supported", &["invalid"]),
    ("role_not_set", &["invalid"]),
    ("file_too_large", &["limit_exceeded", "invalid"]),
    ("upstream_unavailable", &["unavailable"]),
    ("host_call_timeout", &["unavailable"]),
    ("upstream_throttled", &["unavailable"]),
    ("redirect_denied", &["rejected"]),
];

/// A pure function has nobody who could refuse it or be away.
const PURE: [&str; 4] = ["invalid", "denied", "not_found", "limit_exceeded"];

pub fn errors(subject: &mut Subject) {
    subject.verdicts.reach(Id::Errors);
    for (export, kind, code, message) in std::mem::take(&mut subject.errors) {
        if let Some((_, kinds)) = KNOWN.iter().find(|(known, _)| *known == code) {
            subject.verdicts.expect(Id::Errors, kinds.contains(&kind.as_str()), || format!("{export}: the code {code} is {}, not {kind}", kinds.join(" or ")));
        }
        let pure = export == "locate" || export == "setup";
        subject
            .verdicts
            .expect(Id::Errors, !pure || PURE.contains(&kind.as_str()), || format!("{export}: {code} is of the kind {kind}, and nobody else was asked"));
        subject.verdicts.expect(Id::Errors, kind != "internal", || format!("{export}: {code} says that the plugin has a defect: {message}"));
        subject.verdicts.expect(Id::Errors, !message.trim().is_empty(), || format!("{export}: {code} has no words"));
        subject.verdicts.expect(Id::Errors, !message.contains(CANARY), || format!("{export}: the message of {code} repeats a signature of the source path"));
    }
}
