//! Bugs in how access is granted.

use portcullis_plugin::SetupStep;

pub fn setup(bug: &str, mut steps: Vec<SetupStep>, external_id: &str) -> Vec<SetupStep> {
    let condition = "\"sts:ExternalId\"";
    for document in steps.iter_mut().flat_map(|step| &mut step.documents) {
        let body = &document.body;
        document.body = match bug {
            "aws:no_external_id" => body.replace(condition, "\"aws:SecureTransport\"").replace(external_id, "true"),
            "aws:fixed_external" => body.replace(external_id, "portcullis"),
            "aws:external_like" => body.replace("StringEquals", "StringLike"),
            "aws:placeholder" => body.replace("arn:aws:s3:::customer-media", "arn:aws:s3:::<bucket-name>"),
            "aws:shell_variable" => body.replace("customer-media", "${BUCKET}"),
            "aws:broken_json" => body.replacen('}', "},", 1),
            "aws:writes" => body.replace("s3:GetObject", "s3:*"),
            "aws:everything" => every_object(body),
            "aws:anybody" => body.replace("arn:aws:iam::111122223333:role/kit-gateway", "*"),
            _ => continue,
        };
    }
    if bug == "web:setup_todo"
        && let Some(step) = steps.first_mut()
    {
        step.text += ["TO", "DO: say which rights."].concat().as_str();
        step.text = step.text.replace("TODO", " TODO");
    }
    if bug == "aws:no_documents" {
        steps.iter_mut().for_each(|step| step.documents.clear());
    }
    if bug == "web:no_title"
        && let Some(step) = steps.first_mut()
    {
        step.title.clear();
    }
    steps
}

/// With a star in place of whatever objects of the bucket a document is about.
fn every_object(body: &str) -> String {
    let mut parts = body.split("\"arn:aws:s3:::customer-media/");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "\"*\"" + part.split_once('"').map_or("", |(_, rest)| rest))
}
