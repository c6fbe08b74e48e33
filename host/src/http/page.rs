//! The web page: files that are embedded as they are, beneath a name that changes with them. It is a client of the API like any other.
//!
//! Nothing is read from disk, nothing comes from another host, and no text of a customer is in them.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::routes::Routes;
use crate::model::Error;

/// No script, style or object but ours; what is previewed is a blob that the page made, of a type that it chose.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; frame-ancestors 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What the first thing that is seen needs; the other sections are fetched when they are shown.
const FIRST: [&str; 5] = ["main.js", "dom.js", "api.js", "parts.js", "connections.js"];

macro_rules! files {
    ($($name:literal: $type:expr),* $(,)?) => { [$(File { name: $name, media_type: $type, bytes: include_bytes!(concat!("../../page/", $name)) }),*] };
}

struct File {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

static FILES: [File; 22] = files! {
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "main.js": SCRIPT,
    "dom.js": SCRIPT,
    "api.js": SCRIPT,
    "parts.js": SCRIPT,
    "form.js": SCRIPT,
    "connections.js": SCRIPT,
    "connection.js": SCRIPT,
    "place.js": SCRIPT,
    "setup.js": SCRIPT,
    "edit.js": SCRIPT,
    "wizard.js": SCRIPT,
    "browser.js": SCRIPT,
    "preview.js": SCRIPT,
    "ingest.js": SCRIPT,
    "job.js": SCRIPT,
    "plugins.js": SCRIPT,
    "tokens.js": SCRIPT,
    "audit.js": SCRIPT,
    "about.js": SCRIPT,
    "docs.js": SCRIPT,
};

/// The documents that name the others, and under which name they are.
struct Page {
    version: String,
    index: Bytes,
    /// The reader of the API's document. It needs no token, as that document.
    docs: Bytes,
    etag: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let (index, docs) = (include_str!("../../page/index.html"), include_str!("../../page/docs.html"));
    let mut hasher = blake3::Hasher::new();
    for document in [index, docs] {
        hasher.update(&(document.len() as u64).to_le_bytes()).update(document.as_bytes());
    }
    FILES.iter().for_each(|file| {
        hasher.update(file.name.as_bytes()).update(&(file.bytes.len() as u64).to_le_bytes()).update(file.bytes);
    });
    let version: String = hasher.finalize().to_hex().chars().take(16).collect();
    // All at once, instead of one after the other as each is found to need the next.
    let preloads: Vec<String> = FIRST.iter().map(|name| format!("<link rel=\"modulepreload\" href=\"/page/{version}/{name}\">")).collect();
    let index = index.replace("{preloads}", &preloads.join("\n")).replace("{version}", &version);
    let docs = docs.replace("{version}", &version);
    let etag = HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"page\""));
    Page { version, index: Bytes::from(index), docs: Bytes::from(docs), etag }
});

pub fn routes() -> Routes {
    Routes::new("page").file("/", index).file("/docs", docs).file("/page/{version}/{name}", file)
}

async fn index(headers: HeaderMap) -> Response {
    document(&headers, &PAGE.index)
}

async fn docs(headers: HeaderMap) -> Response {
    document(&headers, &PAGE.docs)
}

/// Asked for anew each time, so that a new gateway brings its new page.
fn document(headers: &HeaderMap, text: &Bytes) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == PAGE.etag.as_bytes()));
    let caching = [(header::ETAG, PAGE.etag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if known {
        return guarded((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    guarded((caching, [(header::CONTENT_TYPE, HeaderValue::from_static(HTML))], text.clone()).into_response())
}

/// What has this name never changes.
async fn file(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let found = FILES.iter().find(|file| file.name == name && version == PAGE.version);
    let File { media_type, bytes, .. } = found.ok_or_else(|| Error::not_found("no_such_route", "there is nothing at this path"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok(guarded((headers, Bytes::from_static(bytes)).into_response()))
}

/// For the page alone: the API's answers are never a document, and an object's have a policy of their own.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for (name, value) in [("cross-origin-opener-policy", "same-origin"), ("cross-origin-resource-policy", "same-origin"), ("x-frame-options", "DENY")] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_its_own_files_and_nothing_outside() {
        for document in [&PAGE.index, &PAGE.docs] {
            let text = std::str::from_utf8(document).unwrap();
            assert!(!text.contains("{version}") && !text.contains("{preloads}") && !text.contains("://"), "{text}");
        }
        for file in FILES.iter().filter(|file| file.media_type == SCRIPT) {
            let text = std::str::from_utf8(file.bytes).unwrap();
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ".style."] {
                assert!(!text.contains(word), "{}: {word}", file.name);
            }
            for import in text.split("\"./").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(FILES.iter().any(|file| file.name == import), "{} imports {import}, which is not embedded", file.name);
            }
        }
    }

    #[test]
    fn what_is_loaded_first_is_at_most_100_kb() {
        let first = FILES.iter().filter(|file| file.media_type != SCRIPT || FIRST.contains(&file.name));
        let total: usize = first.map(|file| file.bytes.len()).sum::<usize>() + PAGE.index.len();
        assert!(total <= 100_000, "{total}");
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let missing: Vec<String> = names.filter(|name| !name.ends_with(".html") && !FILES.iter().any(|file| file.name == name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
