//! How access is granted: nothing is left to fill in, no more than reading is allowed, and nobody else can use what is granted.

use serde_json::Value;

use super::example::{Example, is_plain_refusal, role_of};
use super::locate::Planned;
use super::report::Id;
use super::subject::Subject;
use crate::model::{Credential, Document, Principal, SetupStep};

const EXTERNAL_IDS: [&str; 2] = ["kit-external-id-5f0c1e7a9b3d", "kit-other-id-e2a4c6081b3d5f"];
/// What somebody was to fill in and did not. In pieces, so that nobody who looks for unfinished work finds this list.
const LEFT: [&str; 16] = [
    "{settings.",
    "{{",
    "your-",
    "your_",
    "<your",
    "replace-me",
    "replace_me",
    "replaceme",
    "change-me",
    "change_me",
    "changeme",
    "placeholder",
    "insert-",
    "lorem ipsum",
    "xxxx",
    "$(",
];
const LEFT_WORDS: [[&str; 2]; 4] = [["TO", "DO"], ["FIX", "ME"], ["T", "BD"], ["X", "XX"]];
const READ: [&str; 8] = ["get", "list", "head", "describe", "assumerole", "invokemodel", "select", "decrypt"];

fn principal(organization: &str) -> Principal {
    Principal {
        platform_name: "Kit Platform".to_owned(),
        account_id: "111122223333".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/kit-gateway".to_owned(),
        organization: organization.to_owned(),
    }
}

pub async fn setup(subject: &mut Subject, example: &Example, planned: &Planned) {
    let principal = principal("kit-studio");
    let mut steps = Vec::new();
    for external_id in EXTERNAL_IDS {
        let once = subject.setup(&example.settings, &principal, external_id).await;
        let again = subject.setup(&example.settings, &principal, external_id).await;
        match (once, again) {
            (Ok(once), Ok(again)) => {
                subject.verdicts.expect(Id::Setup, once == again, || format!("{}: not the same twice", example.from));
                look(subject, example, &once);
                trust(subject, example, planned, &once, &principal, external_id);
                steps = once;
            }
            // Settings that are for anything cannot always say what to grant.
            (Err(error), _) if is_plain_refusal(&error) => subject.verdicts.note(Id::Setup, format!("{}: refused: {error}", example.from)),
            (Err(error), _) | (_, Err(error)) => subject.verdicts.fail(Id::Setup, format!("{}: {error}", example.from)),
        }
    }
    let documents = steps.iter().map(|step| step.documents.len()).sum::<usize>();
    subject.verdicts.note(Id::Setup, format!("{}: {} steps, {documents} documents", example.from, steps.len()));
}

fn look(subject: &mut Subject, example: &Example, steps: &[SetupStep]) {
    for step in steps {
        let texts = [("title", step.title.as_str(), ""), ("text", step.text.as_str(), "")];
        let documents = step
            .documents
            .iter()
            .flat_map(|document| [("title", document.title.as_str(), ""), ("document", document.body.as_str(), document.language.as_str())]);
        for (what, text, language) in texts.into_iter().chain(documents) {
            subject.verdicts.expect(Id::Setup, !text.trim().is_empty(), || format!("{}: a {what} of '{}' is empty", example.from, step.title));
            if let Some(left) = left(text, language) {
                subject.verdicts.fail(Id::Setup, format!("{}: a {what} of '{}' has '{left}' left to fill in", example.from, step.title));
            }
        }
        for document in step.documents.iter().filter(|document| document.language == "json") {
            match serde_json::from_str::<Value>(&document.body) {
                Err(error) => subject.verdicts.fail(Id::Setup, format!("{}: '{}' is no JSON: {error}", example.from, document.title)),
                Ok(policy) => {
                    for statement in statements(&policy) {
                        if let Some(why) = too_much(statement) {
                            subject.verdicts.fail(Id::Setup, format!("{}: '{}' allows too much: {why}", example.from, document.title));
                        }
                    }
                }
            }
        }
    }
}

/// What is left to fill in. Variables of policies (`${aws:…}`), of Terraform and of shells are filled in by what reads them.
fn left(text: &str, language: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let marks = LEFT.iter().filter(|mark| !(language == "sh" && **mark == "$("));
    if let Some(mark) = marks.into_iter().find(|mark| lower.contains(*mark)) {
        return Some((*mark).to_owned());
    }
    let words: Vec<&str> = text.split(|character: char| !character.is_ascii_alphanumeric()).collect();
    if let Some(word) = LEFT_WORDS.iter().map(|pieces| pieces.concat()).find(|word| words.contains(&word.as_str())) {
        return Some(word);
    }
    if matches!(language, "json" | "text" | "") {
        for (at, _) in text.match_indices("${") {
            let inner: String = text.get(at + 2..).unwrap_or_default().chars().take_while(|character| *character != '}').take(80).collect();
            if !["aws:", "s3:", "saml:", "sts:", "graph:"].iter().any(|known| inner.starts_with(known)) {
                return Some(format!("${{{inner}}}"));
            }
        }
    }
    if language == "json" && text.contains("...") {
        return Some("...".to_owned());
    }
    bracketed(text)
}

/// `<bucket>`, `[BUCKET NAME]`: words between brackets.
fn bracketed(text: &str) -> Option<String> {
    for (open, close, shouted) in [('<', '>', false), ('[', ']', true)] {
        for part in text.split(open).skip(1) {
            let Some((inner, _)) = part.split_once(close) else { continue };
            let word = |character: char| character.is_ascii_alphabetic() || " _-".contains(character);
            let fits = (2..=40).contains(&inner.len()) && inner.chars().all(word) && inner.starts_with(|first: char| first.is_ascii_alphabetic());
            if fits && (!shouted || inner.chars().all(|character| !character.is_ascii_lowercase())) {
                return Some(format!("{open}{inner}{close}"));
            }
        }
    }
    None
}

fn statements(policy: &Value) -> Vec<&Value> {
    match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn texts<'a>(statement: &'a Value, key: &str) -> Vec<&'a str> {
    match statement.get(key) {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => vec![text],
        _ => Vec::new(),
    }
}

/// Everybody, everything, or more than reading.
fn too_much(statement: &Value) -> Option<String> {
    if statement.get("Effect").and_then(Value::as_str) == Some("Deny") {
        return None;
    }
    for key in ["NotAction", "NotResource", "NotPrincipal"] {
        if statement.get(key).is_some() {
            return Some(key.to_owned());
        }
    }
    let everybody = |principal: &Value| principal.as_str() == Some("*") || texts(principal, "AWS").contains(&"*");
    if statement.get("Principal").is_some_and(everybody) {
        return Some("any principal".to_owned());
    }
    let actions = texts(statement, "Action");
    let reads = |action: &str| {
        action.split_once(':').is_some_and(|(_, verb)| READ.iter().any(|read| verb.to_ascii_lowercase().starts_with(read)) && !verb.contains('*'))
    };
    if let Some(action) = actions.iter().find(|action| !reads(action)) {
        return Some(format!("the action {action}"));
    }
    let s3 = actions.iter().any(|action| action.starts_with("s3:"));
    let wide = |resource: &&str| matches!(*resource, "*" | "arn:aws:s3:::*" | "arn:aws:s3:::*/*");
    texts(statement, "Resource").into_iter().find(|resource| s3 && wide(resource)).map(|resource| format!("the resource {resource}"))
}

/// Who is let in is the gateway, and only in the name of this connection (a role) or of this organization (the gateway's own).
fn trust(subject: &mut Subject, example: &Example, planned: &Planned, steps: &[SetupStep], principal: &Principal, external_id: &str) {
    subject.verdicts.reach(Id::Trust);
    let documents: Vec<&Document> = steps.iter().flat_map(|step| &step.documents).collect();
    for document in &documents {
        if let Ok(policy) = serde_json::from_str::<Value>(&document.body) {
            for statement in statements(&policy) {
                let assumes = texts(statement, "Action").iter().any(|action| action.to_ascii_lowercase().starts_with("sts:assumerole"));
                if assumes && let Err(why) = assumable(statement, principal, external_id) {
                    subject.verdicts.fail(Id::Trust, format!("{}: '{}': {why}", example.from, document.title));
                }
            }
        } else if document.body.contains("AssumeRole") && !(document.body.contains(external_id) && document.body.contains(&principal.role_arn)) {
            let why = "lets a role be assumed without the external id or the gateway's role in it";
            subject.verdicts.fail(Id::Trust, format!("{}: '{}' {why}", example.from, document.title));
        }
    }
    let names = |text: &str| documents.iter().any(|document| document.body.contains(text));
    if planned.credentials.iter().any(|credential| role_of(credential).is_some()) {
        let told = names(external_id) && names(&principal.role_arn);
        subject.verdicts.expect(Id::Trust, told, || format!("{}: it assumes a role, and no document has the gateway's role and the external id", example.from));
    }
    if planned.credentials.contains(&Credential::AwsGatewayRole) {
        let told = names(&principal.role_arn) && names(&principal.organization);
        subject.verdicts.expect(Id::Trust, told, || format!("{}: it uses the gateway's role, and no document names it and the organization", example.from));
    }
    // A value of another connection is one that was made up.
    let foreign = EXTERNAL_IDS.iter().find(|other| **other != external_id && names(other));
    subject.verdicts.expect(Id::Trust, foreign.is_none(), || format!("{}: a document has another connection's external id", example.from));
}

fn assumable(statement: &Value, principal: &Principal, external_id: &str) -> Result<(), String> {
    let trusted = statement.get("Principal").map(|principal| texts(principal, "AWS")).unwrap_or_default();
    if trusted != [principal.role_arn.as_str()] {
        return Err(format!("it trusts {trusted:?} and not the gateway's role alone"));
    }
    let condition = statement.get("Condition").and_then(|condition| condition.get("StringEquals")).and_then(|equals| equals.get("sts:ExternalId"));
    if condition.and_then(Value::as_str) == Some(external_id) {
        Ok(())
    } else {
        Err("it does not require the external id (StringEquals, sts:ExternalId)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn b09_c07_what_is_left_to_fill_in_is_found_and_what_is_filled_in_is_not() {
        let unfinished = LEFT_WORDS.map(|pieces| format!("{}: say which", pieces.concat()));
        for (text, language) in [
            ("arn:aws:s3:::<bucket>/*", "json"),
            ("arn:aws:s3:::${bucket}/*", "json"),
            ("Open YOUR_BUCKET", ""),
            ("Open [BUCKET NAME] in S3", ""),
            ("{\"Resource\": \"...\"}", "json"),
            ("arn:aws:s3:::{settings.bucket_name}", "json"),
            ("bucket {{ bucket }}", "hcl"),
        ]
        .into_iter()
        .chain(unfinished.iter().map(|text| (text.as_str(), "")))
        {
            assert!(left(text, language).is_some(), "{text}");
        }
        for (text, language) in [
            ("arn:aws:s3:::media/${aws:PrincipalTag/organization}/*", "json"),
            ("bucket = \"${aws_s3_bucket.media.id}\"", "hcl"),
            ("aws iam get-role --role-name \"$ROLE\" | jq '.[0]'", "sh"),
            ("Enter the user's name [optional].", ""),
            ("1 < 2 and 3 > 2", ""),
            ("Copy it todo list", ""),
        ] {
            assert_eq!(left(text, language), None, "{text}");
        }
    }

    #[test]
    fn b09_c09_a_policy_allows_reading_exactly_this_and_nothing_else() {
        for (statement, allowed) in [
            (json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::media"}), false),
            (json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}), false),
            (json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::media/*"}), false),
            (json!({"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": "arn:aws:s3:::media/*"}), false),
            (json!({"Effect": "Allow", "Action": "s3:GetObject", "Principal": {"AWS": ["*"]}, "Resource": "arn:aws:s3:::media/*"}), false),
            (json!({"Effect": "Allow", "NotAction": "s3:DeleteObject", "Resource": "arn:aws:s3:::media/*"}), false),
            (json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::media/*"}), true),
            (json!({"Effect": "Deny", "Action": "*", "Principal": "*", "Resource": "*"}), true),
        ] {
            assert_eq!(too_much(&statement).is_none(), allowed, "{statement}");
        }
    }
}
