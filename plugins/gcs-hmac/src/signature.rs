//! AWS's Signature Version 4 as a recipe, which Google Cloud Storage takes with its HMAC keys ("Simple migration from Amazon S3").
//! The gateway signs each request with it; the plugin never sees the key.
//!
//! Google's own form of it (GOOG4-HMAC-SHA256) differs in names only. This one is checked by every implementation of AWS's.

use portcullis_plugin::{Credential, HeaderCredential, Recipe, RequestPart, TimestampFormat};

/// SHA-256 of nothing: a read has no body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// Where the bucket is does not matter to the signature (Cloud Storage's own documents write it like this).
const REGION: &str = "auto";
const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

/// `authority`: the `Host` header as it is sent. `secret`: the name of the secret that holds the key.
pub(crate) fn credential(access_id: &str, secret: &str, authority: &str) -> Credential {
    Credential::Headers(vec![
        authorization(access_id, secret, authority),
        HeaderCredential::text("x-amz-content-sha256", EMPTY),
        HeaderCredential::time("x-amz-date", TimestampFormat::Basic),
    ])
}

fn authorization(access_id: &str, secret: &str, authority: &str) -> HeaderCredential {
    let mut recipe = Recipe::default();
    let line = recipe.text("\n");
    let date = recipe.time(TimestampFormat::BasicDate);
    let time = recipe.time(TimestampFormat::Basic);

    // The canonical request: its query is empty.
    let method = recipe.request(RequestPart::Method);
    let path = recipe.request(RequestPart::Path);
    let headers = recipe.text(format!("\n\nhost:{authority}\nx-amz-content-sha256:{EMPTY}\nx-amz-date:"));
    let rest = recipe.text(format!("\n\n{SIGNED}\n{EMPTY}"));
    let canonical = recipe.join(&[method, line, path, headers, time, rest]);
    let digest = recipe.sha256(canonical);
    let digest = recipe.hex(digest);

    let place = recipe.text(format!("/{REGION}/s3/aws4_request"));
    let scope = recipe.join(&[date, place]);
    let algorithm = recipe.text("AWS4-HMAC-SHA256\n");
    let to_sign = recipe.join(&[algorithm, time, line, scope, line, digest]);

    let prefix = recipe.text("AWS4");
    let secret = recipe.secret(secret);
    let mut key = recipe.join(&[prefix, secret]);
    key = recipe.hmac_sha256(key, date);
    for part in [REGION, "s3", "aws4_request"] {
        let part = recipe.text(part);
        key = recipe.hmac_sha256(key, part);
    }
    let signature = recipe.hmac_sha256(key, to_sign);
    let signature = recipe.hex(signature);

    let who = recipe.text(format!("AWS4-HMAC-SHA256 Credential={access_id}/"));
    let what = recipe.text(format!(", SignedHeaders={SIGNED}, Signature="));
    recipe.join(&[who, scope, what, signature]);
    recipe.header("authorization")
}
