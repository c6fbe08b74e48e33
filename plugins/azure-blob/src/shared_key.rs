//! Azure's SharedKey signature as a recipe: what the gateway signs each request with. The plugin never sees the key.
//!
//! Source: "Authorize with Shared Key", Blob service, version 2015-02-21 and later: an empty body's Content-Length is signed as nothing.

use portcullis_plugin::{Credential, HeaderCredential, Recipe, RequestPart, TimestampFormat};

/// The version of the service's protocol, which decides what is signed.
const VERSION: &str = "2021-12-02";

/// `account`: its name. `key`: the name of the secret that holds the account's key in base64.
pub(crate) fn credential(account: &str, key: &str) -> Credential {
    Credential::Headers(vec![
        authorization(account, key),
        HeaderCredential::time("x-ms-date", TimestampFormat::HttpDate),
        HeaderCredential::text("x-ms-version", VERSION),
    ])
}

fn authorization(account: &str, key: &str) -> HeaderCredential {
    let mut recipe = Recipe::default();
    let line = recipe.text("\n");
    let method = recipe.request(RequestPart::Method);
    // Content-Encoding, -Language, -Length, -MD5, -Type, Date and If-Modified-Since: a read has none of them.
    let absent = recipe.text("\n\n\n\n\n\n\n\n");
    let if_match = recipe.request(RequestPart::IfMatch);
    let if_none_match = recipe.request(RequestPart::IfNoneMatch);
    // If-Unmodified-Since.
    let gap = recipe.text("\n\n");
    let range = recipe.request(RequestPart::Range);
    let date_header = recipe.text("\nx-ms-date:");
    let date = recipe.time(TimestampFormat::HttpDate);
    let version = recipe.text(format!("\nx-ms-version:{VERSION}\n/{account}"));
    let path = recipe.request(RequestPart::Path);
    let message = recipe.join(&[method, absent, if_match, line, if_none_match, gap, range, date_header, date, version, path]);
    let key = recipe.secret(key);
    let key = recipe.from_base64(key);
    let signature = recipe.hmac_sha256(key, message);
    let signature = recipe.base64(signature);
    let scheme = recipe.text(format!("SharedKey {account}:"));
    recipe.join(&[scheme, signature]);
    recipe.header("authorization")
}
