//! What a session may do at most: exactly the reads of the connection's egress. Pure.
//!
//! AWS intersects it with the role's own permissions, so it can only take away.

use serde_json::{Value, json};

use crate::model::{Error, Result};
use crate::policy::{Egress, EgressRule};

/// AWS takes at most this many characters of session policy (STS AssumeRole, `Policy`).
const LONGEST: usize = 2048;

/// Everything that the broker asks S3 for. `GetObjectVersion`: a source path may name a version.
const OBJECT_ACTIONS: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];

/// For the session that a connection's objects are read with. Without S3 in the egress (Bedrock) it may only say who it is.
pub(super) fn for_egress(egress: &Egress, partition: &str) -> Result<String> {
    let mut statements = Vec::new();
    for rule in &egress.0 {
        if let EgressRule::S3 { bucket, prefix } = rule {
            let bucket = bucket.as_ref().map_or("*", |bucket| bucket.as_str());
            let (bucket, prefix) = (format!("arn:{partition}:s3:::{bucket}"), literal(prefix));
            statements.push(allow(&OBJECT_ACTIONS, &if bucket.ends_with('*') && prefix.is_empty() { bucket.clone() } else { format!("{bucket}/{prefix}*") }));
            let mut list = allow(&["s3:ListBucket"], &bucket);
            if !prefix.is_empty()
                && let Some(list) = list.as_object_mut()
            {
                list.insert("Condition".to_owned(), json!({ "StringLike": { "s3:prefix": format!("{prefix}*") } }));
            }
            statements.push(list);
            statements.push(allow(&["s3:GetBucketLocation"], &bucket));
        }
    }
    if statements.is_empty() {
        statements.push(allow(&["sts:GetCallerIdentity"], "*"));
    } else {
        // Objects under the customer's own keys, through S3 only.
        let mut decrypt = allow(&["kms:Decrypt"], "*");
        if let Some(decrypt) = decrypt.as_object_mut() {
            decrypt.insert("Condition".to_owned(), json!({ "StringLike": { "kms:ViaService": "s3.*" } }));
        }
        statements.push(decrypt);
    }
    write(&statements)
}

/// For the gateway's session from which customers' roles are assumed: it can do nothing else.
pub(super) fn for_assuming() -> Result<String> {
    write(&[allow(&["sts:AssumeRole"], "*")])
}

/// For sessions that are opened to be thrown away.
pub(super) fn for_nothing() -> Result<String> {
    write(&[json!({ "Effect": "Deny", "Action": "*", "Resource": "*" })])
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}

/// T12: a policy that does not fit is an error, never left out.
fn write(statements: &[Value]) -> Result<String> {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    if policy.len() <= LONGEST { Ok(policy) } else { Err(too_large()) }
}

pub(super) fn too_large() -> Error {
    Error::limit("scope_too_large", "the session policy for this connection's scope is larger than AWS allows")
        .with_remedy("Use a shorter prefix, or split the scope over several connections.")
}

/// A key's bytes in a policy: `*`, `?` and `$` would otherwise mean something (IAM policy variables).
fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' | '?' | '$' => escaped.extend(["${", character.encode_utf8(&mut [0; 4]), "}"]),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BucketName;

    fn egress(bucket: Option<&str>, prefix: &str) -> Egress {
        Egress(vec![EgressRule::S3 { bucket: bucket.map(|name| BucketName::new(name).expect("a bucket")), prefix: prefix.to_owned() }])
    }

    fn statements(policy: &str) -> Vec<Value> {
        let policy: Value = serde_json::from_str(policy).expect("JSON");
        assert_eq!(policy["Version"], "2012-10-17");
        policy["Statement"].as_array().expect("statements").clone()
    }

    #[test]
    fn t12_a_scope_that_does_not_fit_is_refused_whole() {
        let many = Egress((0..60).flat_map(|_| egress(Some("bkt"), &"p".repeat(60)).0).collect());
        assert_eq!(for_egress(&many, "aws").expect_err("too large").code(), "scope_too_large");
    }

    #[test]
    fn t11_m26_exactly_the_reads_of_the_scope() {
        let policy = for_egress(&egress(Some("bkt"), "train/"), "aws-cn").expect("a policy");
        assert_eq!(
            statements(&policy),
            vec![
                json!({ "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws-cn:s3:::bkt/train/*" }),
                json!({ "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws-cn:s3:::bkt", "Condition": { "StringLike": { "s3:prefix": "train/*" } } }),
                json!({ "Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": "arn:aws-cn:s3:::bkt" }),
                json!({ "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": "*", "Condition": { "StringLike": { "kms:ViaService": "s3.*" } } }),
            ]
        );
    }

    #[test]
    fn t11_the_default_connection_may_read_any_bucket_that_lets_it() {
        let policy = for_egress(&egress(None, ""), "aws").expect("a policy");
        assert_eq!(statements(&policy)[0]["Resource"], "arn:aws:s3:::*");
        assert_eq!(statements(&policy)[1]["Resource"], "arn:aws:s3:::*");
        let prefixed = for_egress(&egress(None, "shared/"), "aws").expect("a policy");
        assert_eq!(statements(&prefixed)[0]["Resource"], "arn:aws:s3:::*/shared/*");
    }

    #[test]
    fn t11_a_prefix_with_wildcards_means_itself() {
        let policy = for_egress(&egress(Some("bkt"), "a*?${aws:username}/\""), "aws").expect("a policy");
        assert_eq!(statements(&policy)[0]["Resource"], "arn:aws:s3:::bkt/a${*}${?}${$}{aws:username}/\"*");
    }

    #[test]
    fn c11_without_s3_a_session_may_only_say_who_it_is() {
        let web = Egress(vec![EgressRule::Web { plain_http: false, host: "example.com".to_owned(), port: 443, path_prefix: String::new() }]);
        for egress in [Egress(Vec::new()), web] {
            let policy = for_egress(&egress, "aws").expect("a policy");
            assert_eq!(statements(&policy), vec![json!({ "Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": "*" })]);
        }
    }

    #[test]
    fn b4_the_assuming_session_does_nothing_else() {
        assert_eq!(statements(&for_assuming().expect("a policy")), vec![json!({ "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": "*" })]);
        assert_eq!(statements(&for_nothing().expect("a policy"))[0]["Effect"], "Deny");
    }
}
