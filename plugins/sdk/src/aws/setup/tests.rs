//! The documents as they are pasted: exact text, and run by a real shell with another `aws`.

use std::process::Command;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::aws::policy::read_bucket;

fn principal() -> Principal {
    Principal {
        platform_name: "Acme Video".to_owned(),
        account_id: "111122223333".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/gateway".to_owned(),
        organization: "studio".to_owned(),
    }
}

fn body<'a>(documents: &'a [Document], language: &str) -> &'a str {
    documents.iter().find(|document| document.language == language).map(|document| document.body.as_str()).expect(language)
}

/// What a script calls `aws` with. Nothing is there yet.
fn calls(script: &str) -> Vec<Vec<String>> {
    let stub = "aws() {\n\
                case \"$2\" in\n\
                get-role) return 1 ;;\n\
                get-bucket-policy) echo 'An error occurred (NoSuchBucketPolicy)' >&2; return 1 ;;\n\
                get-bucket-cors) echo 'An error occurred (NoSuchCORSConfiguration)' >&2; return 1 ;;\n\
                esac\n\
                for word in \"$@\"; do printf '%s\\0' \"$word\"; done; printf '\\0'\n\
                }\n";
    let output = Command::new("sh").args(["-c", &format!("{stub}{script}")]).output().expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.split_terminator("\0\0").map(|call| call.split('\0').map(str::to_owned).collect()).collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn b07_c07_the_documents_are_exactly_these() {
    let role = super::role(&Role { name: "reader", path: "media" }, &principal(), "pc-0123456789");
    let permissions = super::permissions(&Role { name: "reader", path: "media" }, &read_bucket("aws", "films", Some("train/")));
    let who = read_bucket("aws", "films", None).map(|statement| statement.to_role("arn:aws:iam::111122223333:role/gateway"));
    let bucket = super::bucket_policy("films", &who.map(|statement| statement.if_equals("aws:PrincipalTag/organization", "studio")));
    let cors = super::cors("films").documents;
    for (documents, hcl, sh) in [
        (role, include_str!("golden/role.tf"), include_str!("golden/role.sh")),
        (permissions, include_str!("golden/permissions.tf"), include_str!("golden/permissions.sh")),
        (bucket, include_str!("golden/bucket_policy.tf"), include_str!("golden/bucket_policy.sh")),
        (cors, include_str!("golden/cors.tf"), include_str!("golden/cors.sh")),
    ] {
        assert_eq!(body(&documents, "hcl"), hcl);
        assert_eq!(body(&documents, "sh"), sh);
        // The commands hold the JSON document, and that is what they send.
        let sent = calls(sh);
        let document = parsed(body(&documents, "json"));
        let last = parsed(sent.last().and_then(|call| call.last()).expect("a call"));
        assert_eq!(last.get("CORSRules").unwrap_or(&last), &document);
    }
}

#[test]
fn c07_a_role_that_is_to_be_made_gets_a_name() {
    for (platform, name) in [
        ("Acme Video", "Acme-Video-reader-98765432"),
        ("日本", "gateway-reader-98765432"),
        ("A very long name of a platform, for real", "A-very-long-name-of-a-platform---reader-98765432"),
    ] {
        let principal = Principal { platform_name: platform.to_owned(), ..principal() };
        assert_eq!(new_role_name(&principal, "pc-0123456789"), name);
        assert!(name.len() <= 64);
    }
}

/// Role names, paths, prefixes and buckets as AWS and the connectors' schemas take them.
fn any_role() -> impl Strategy<Value = (String, String)> {
    ("[A-Za-z0-9+=,.@_-]{1,64}", "([!-.0-~][!-~]{0,20}[!-.0-~])?")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn b07_every_valid_value_is_an_argument_and_nothing_else((name, path) in any_role(), bucket in "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", prefix in "[ -~]{0,40}/", id in "pc-[A-Za-z0-9]{24}") {
        let role = Role { name: &name, path: &path };
        let made = super::role(&role, &principal(), &id);
        let sent = calls(body(&made, "sh"));
        let slashed = if path.is_empty() { "/".to_owned() } else { format!("/{path}/") };
        prop_assert_eq!(sent.len(), 1);
        let words: Vec<&str> = sent[0].iter().map(String::as_str).collect();
        let (path_word, name_word) = (format!("--path={slashed}"), format!("--role-name={name}"));
        prop_assert_eq!(&words[..5], &["iam", "create-role", &path_word, &name_word, "--assume-role-policy-document"]);
        prop_assert_eq!(parsed(words[5]), parsed(body(&made, "json")));

        let statements = read_bucket("aws", &bucket, Some(&prefix));
        let permitted = super::permissions(&role, &statements);
        let sent = calls(body(&permitted, "sh"));
        prop_assert_eq!((sent.len(), sent[0].len()), (1, 6));
        let policy = parsed(&sent[0][5]);
        prop_assert_eq!(&policy, &parsed(body(&permitted, "json")));
        prop_assert_eq!(&policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"], &json!(format!("{}*", crate::aws::policy::literal(&prefix))));

        let opened = super::bucket_policy(&bucket, &statements);
        let sent = calls(body(&opened, "sh"));
        prop_assert_eq!((sent.len(), &sent[0][2]), (1, &format!("--bucket={bucket}")));
        prop_assert_eq!(calls(body(&super::cors(&bucket).documents, "sh")).len(), 1);
    }
}

#[test]
fn b07_the_commands_leave_a_bucket_policy_and_cors_rules_alone_that_are_there() {
    let script = |documents: &[Document], said: &str| {
        let stub = format!("aws() {{ case \"$2\" in get-*) echo '{said}' ;; *) echo \"WRITES $*\" ;; esac; }}\n");
        let output = Command::new("sh").args(["-c", &format!("{stub}{}", body(documents, "sh"))]).output().expect("a shell");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let (bucket, cors) = (super::bucket_policy("films", &read_bucket("aws", "films", None)), super::cors("films").documents);
    for (documents, said, says) in [
        (&bucket, "{\"Policy\": \"{\\\"Statement\\\":[]}\"}", "The bucket has a policy"),
        (&bucket, "An error occurred (AccessDenied)", "AccessDenied"),
        (&cors, "{\"CORSRules\": [{\"AllowedMethods\": []}]}", "The bucket has CORS rules"),
        (&cors, "Unable to locate credentials", "Unable to locate credentials"),
    ] {
        let output = script(documents, said);
        assert!(!output.contains("WRITES") && output.contains(says), "{said}: {output}");
    }
    assert!(script(&bucket, "An error occurred (NoSuchBucketPolicy)").contains("WRITES"));
}
