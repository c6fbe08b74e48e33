//! The setup kit (SPEC B7): what a customer pastes to let the gateway in. Each document once as it is, once for Terraform, once as
//! commands for the AWS CLI; with nothing left to fill in, and safe to paste whatever the connection's settings are.

use super::node::{Node, assignments, hcl_text, map, sh_text};
use super::policy::{Statement, policy, trust};
use crate::{Document, Principal, SetupStep};

/// The customer's role, as it is or is to be.
pub struct Role<'a> {
    pub name: &'a str,
    /// Without the slashes around it; empty for most.
    pub path: &'a str,
}

/// The name of the inline policy that lets a role read.
const PERMISSIONS: &str = "GatewayReads";

/// A name for a role that the customer is about to make: the platform's, and what keeps it from others.
#[must_use]
pub fn new_role_name(principal: &Principal, external_id: &str) -> String {
    let platform = slug(&principal.platform_name, '-');
    let platform = platform.trim_matches('-').get(..32).unwrap_or(platform.trim_matches('-')).to_owned();
    let unique: String = external_id.bytes().rev().filter(u8::is_ascii_alphanumeric).take(8).map(char::from).collect();
    format!("{}-reader-{unique}", if platform.is_empty() { "gateway" } else { &platform })
}

/// A role that trusts the gateway, with the external id.
#[must_use]
pub fn role(role: &Role<'_>, principal: &Principal, external_id: &str) -> Vec<Document> {
    let trust = policy(&[trust(principal, external_id)]);
    let path = if role.path.is_empty() { "/".to_owned() } else { format!("/{}/", role.path) };
    let (name, quoted_path) = (sh_text(role.name), sh_text(&path));
    let commands = format!(
        "trust={}\n\
         if aws iam get-role --role-name={name} >/dev/null 2>&1; then\n  \
           aws iam update-assume-role-policy --role-name={name} --policy-document \"$trust\"\n\
         else\n  \
           aws iam create-role --path={quoted_path} --role-name={name} --assume-role-policy-document \"$trust\"\n\
         fi\n",
        sh_text(&trust.json())
    );
    let attributes = [("name", hcl_text(role.name)), ("path", hcl_text(&path)), ("assume_role_policy", jsonencode(&trust))];
    vec![
        json("Trust policy", &trust),
        hcl("Terraform: the role", &resource("aws_iam_role", &label(role.name), &attributes)),
        sh("AWS CLI: make the role, or replace its trust policy", commands),
    ]
}

/// What the role may do, as an inline policy of it.
#[must_use]
pub fn permissions(role: &Role<'_>, statements: &[Statement]) -> Vec<Document> {
    let permissions = policy(statements);
    let commands = format!(
        "permissions={}\naws iam put-role-policy --role-name={} --policy-name={} --policy-document \"$permissions\"\n",
        sh_text(&permissions.json()),
        sh_text(role.name),
        sh_text(PERMISSIONS)
    );
    let label = label(role.name);
    let attributes = [("name", hcl_text(PERMISSIONS)), ("role", format!("aws_iam_role.{label}.name")), ("policy", jsonencode(&permissions))];
    vec![
        json("Permission policy", &permissions),
        hcl("Terraform: the role's permissions", &resource("aws_iam_role_policy", &label, &attributes)),
        sh("AWS CLI: the role's permissions", commands),
    ]
}

/// A bucket's own policy. The commands leave one that is there alone: it may be somebody else's way in, or a lock.
#[must_use]
pub fn bucket_policy(bucket: &str, statements: &[Statement]) -> Vec<Document> {
    let policy = policy(statements);
    let commands = format!(
        "policy={}\n{}",
        sh_text(&policy.json()),
        unless_there(bucket, "policy", "NoSuchBucketPolicy", "--policy \"$policy\"", "a policy: add the statements of the JSON document to it")
    );
    let attributes = [("bucket", hcl_text(bucket)), ("policy", jsonencode(&policy))];
    let terraform = format!(
        "# Takes the place of the policy that the bucket has. If it has one, add these statements to it.\n{}",
        resource("aws_s3_bucket_policy", &label(bucket), &attributes)
    );
    vec![json("Bucket policy", &policy), hcl("Terraform: the bucket policy", &terraform), sh("AWS CLI: the bucket policy, where there is none", commands)]
}

/// What a browser needs to read the bucket itself. Through the gateway it needs nothing (SPEC L8).
#[must_use]
pub fn cors(bucket: &str) -> SetupStep {
    const METHODS: [&str; 2] = ["GET", "HEAD"];
    const EXPOSED: [&str; 4] = ["Accept-Ranges", "Content-Length", "Content-Range", "ETag"];
    let rule = map([
        ("AllowedOrigins", Node::texts(&["*"])),
        ("AllowedMethods", Node::texts(&METHODS)),
        ("AllowedHeaders", Node::texts(&["*"])),
        ("ExposeHeaders", Node::texts(&EXPOSED)),
        ("MaxAgeSeconds", Node::Number(3600)),
    ]);
    let rules = Node::List(vec![rule]);
    let commands = format!(
        "cors={}\n{}",
        sh_text(&map([("CORSRules", rules.clone())]).json()),
        unless_there(bucket, "cors", "NoSuchCORSConfiguration", "--cors-configuration \"$cors\"", "CORS rules: add the rule of the JSON document to them")
    );
    let list = |texts: &[&str]| Node::texts(texts).hcl(0);
    let rule = assignments(
        [
            ("allowed_origins", list(&["*"])),
            ("allowed_methods", list(&METHODS)),
            ("allowed_headers", list(&["*"])),
            ("expose_headers", list(&EXPOSED)),
            ("max_age_seconds", "3600".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter(),
    );
    let terraform = format!(
        "# Takes the place of the CORS rules that the bucket has.\n\
         resource \"aws_s3_bucket_cors_configuration\" {} {{\n  bucket = {}\n\n  cors_rule {{\n    {}\n  }}\n}}\n",
        hcl_text(&label(bucket)),
        hcl_text(bucket),
        rule.join("\n    ")
    );
    let text = format!(
        "Only where browsers are to read bucket {bucket} directly, by S3's own signed URLs: in S3, open the bucket, Permissions, CORS. Reads through the gateway \
         need no CORS. The rule opens nothing to anybody: a request must still be signed."
    );
    let documents = vec![json("CORS rules", &rules), hcl("Terraform: CORS rules", &terraform), sh("AWS CLI: CORS rules, where there are none", commands)];
    SetupStep::new("Not needed through the gateway: CORS", text, documents)
}

/// `what`: as the CLI calls it. Puts it only where S3 says that there is none.
fn unless_there(bucket: &str, what: &str, none: &str, argument: &str, has: &str) -> String {
    let bucket = sh_text(bucket);
    format!(
        "case \"$(aws s3api get-bucket-{what} --bucket={bucket} 2>&1)\" in\n\
         *{none}*) aws s3api put-bucket-{what} --bucket={bucket} {argument} ;;\n\
         *AllowedMethods*|*Statement*) echo 'The bucket has {has}.' >&2 ;;\n\
         *) aws s3api get-bucket-{what} --bucket={bucket} ;;\n\
         esac\n"
    )
}

fn resource(kind: &str, label: &str, attributes: &[(&str, String)]) -> String {
    let lines = assignments(attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    format!("resource {} {} {{\n  {}\n}}\n", hcl_text(kind), hcl_text(label), lines.join("\n  "))
}

fn jsonencode(node: &Node) -> String {
    format!("jsonencode({})", node.hcl(1))
}

/// A name in Terraform: letters, digits, `_` and `-`, beginning with a letter.
fn label(name: &str) -> String {
    format!("gateway_{}", slug(name, '_'))
}

fn slug(text: &str, other: char) -> String {
    text.chars().map(|character| if character.is_ascii_alphanumeric() || character == '-' { character } else { other }).collect()
}

fn json(title: &str, node: &Node) -> Document {
    document(title, "json", node.json())
}

fn hcl(title: &str, body: &str) -> Document {
    document(title, "hcl", body.to_owned())
}

fn sh(title: &str, body: String) -> Document {
    document(title, "sh", body)
}

fn document(title: &str, language: &str, body: String) -> Document {
    Document { title: title.to_owned(), language: language.to_owned(), body }
}

#[cfg(test)]
mod tests;
