//! Calls the gateway's API: one base address, one token, JSON both ways. The token goes nowhere else: redirects are not followed.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;
use url::Url;

use super::failure::{Failure, Problem, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two bytes. A test of a connection asks several remotes before it answers.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
const MAX_ANSWER: usize = 32 << 20;
const MAX_PAGES: usize = 1000;
const PAGE: usize = 500;

pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<header::HeaderValue>,
}

impl Client {
    pub(super) fn new(base: &str, token: Option<String>) -> Result<Self> {
        let base = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.query().is_none());
        let base = base.ok_or_else(|| Failure::usage("--url (PORTCULLIS_URL) is the gateway's address, as http://127.0.0.1:8080"))?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("portcullis-cli/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT);
        if is_loopback(&base) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Failure::local("cannot start the HTTP client", &error))?;
        Ok(Self { http, base, token: token.as_deref().map(bearer).transpose()? })
    }

    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub(super) async fn get(&self, path: &[&str], query: Query<'_>) -> Result<Value> {
        self.json(Method::GET, path, query, None).await
    }

    pub(super) async fn post(&self, path: &[&str], query: Query<'_>, body: &Value) -> Result<Value> {
        self.json(Method::POST, path, query, Some(body)).await
    }

    /// A file as the whole body.
    pub(super) async fn upload(&self, path: &[&str], media_type: &'static str, bytes: Vec<u8>) -> Result<Value> {
        let request = self.http.request(Method::POST, self.address(path)?).header(header::CONTENT_TYPE, media_type).body(bytes);
        answer(&self.base, self.send(request).await?).await
    }

    pub(super) async fn put(&self, path: &[&str], body: &Value) -> Result<Value> {
        self.json(Method::PUT, path, &[], Some(body)).await
    }

    pub(super) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value> {
        self.json(Method::PATCH, path, &[], Some(body)).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> Result<Value> {
        self.delete_with(path, &[]).await
    }

    pub(super) async fn delete_with(&self, path: &[&str], query: Query<'_>) -> Result<Value> {
        self.json(Method::DELETE, path, query, None).await
    }

    /// Every item of a paged list, at most `limit`.
    pub(super) async fn list(&self, path: &[&str], query: Query<'_>, limit: usize) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page_size = PAGE.min(limit.saturating_sub(items.len())).to_string();
            let mut query = query.to_vec();
            query.push(("limit", &page_size));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let mut page = self.get(path, &query).await?;
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            match page.get_mut("items").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                _ => return Err(not_a_gateway(&self.base, "sent no list")),
            }
            if cursor.is_none() || items.len() >= limit {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// The answer once its head is in; the body is the caller's to read.
    pub(super) async fn open(&self, path: &[&str], query: Query<'_>, range: Option<&str>) -> Result<Response> {
        let mut request = self.http.get(self.address(path)?).query(query);
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        self.send(request).await
    }

    async fn json(&self, method: Method, path: &[&str], query: Query<'_>, body: Option<&Value>) -> Result<Value> {
        let mut request = self.http.request(method, self.address(path)?).query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(&self.base, self.send(request).await?).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<Response> {
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.clone());
        }
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            let size = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok()?.strip_prefix("bytes */"));
            return Err(Failure::Unsuccessful(format!("the range lies beyond the object, which has {} bytes", size.unwrap_or("fewer"))));
        }
        let bytes = read(response).await?;
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) if !problem.code.is_empty() => Err(Failure::Refused(Box::new(Problem { status: status.as_u16(), ..problem }))),
            _ => Err(not_a_gateway(&self.base, &format!("answered {status}"))),
        }
    }

    /// Each part becomes one percent-encoded segment: no name can reach another route.
    fn address(&self, path: &[&str]) -> Result<Url> {
        if path.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(Failure::usage("a name or id cannot be empty, '.' or '..'"));
        }
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| Failure::usage("--url cannot carry a path"))?.pop_if_empty().extend(path);
        Ok(url)
    }
}

async fn answer(base: &Url, response: Response) -> Result<Value> {
    let bytes = read(response).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|_| not_a_gateway(base, "sent something that is not JSON"))
}

fn bearer(token: &str) -> Result<header::HeaderValue> {
    let mut value =
        header::HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_| Failure::usage("the token holds characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(mut response: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(Failure::Unreachable(format!("the answer is larger than {} MiB", MAX_ANSWER >> 20)));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The innermost cause is the one that helps: "connection refused".
pub(super) fn unreachable(error: &reqwest::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let place = error.url().and_then(Url::host_str).unwrap_or("the gateway");
    Failure::Unreachable(format!("no answer from {place}: {cause}"))
}

fn not_a_gateway(base: &Url, what: &str) -> Failure {
    Failure::Unreachable(format!("{base} {what}: this does not look like a Portcullis gateway"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_reach_another_route() {
        let client = Client::new("http://127.0.0.1:1/base/", None).unwrap();
        for (parts, path) in [
            (vec!["api", "a/../../b"], Some("/base/api/a%2F..%2F..%2Fb")),
            (vec!["api", "a?b#c"], Some("/base/api/a%3Fb%23c")),
            (vec!["api", ".."], None),
            (vec!["api", ""], None),
        ] {
            assert_eq!(client.address(&parts).ok().map(|url| url.path().to_owned()).as_deref(), path, "{parts:?}");
        }
    }

    #[test]
    fn a_base_address_is_http_with_a_host() {
        for (base, ok) in [("", false), ("127.0.0.1:8080", false), ("file:///etc", false), ("http://h/?q", false), ("https://gw.example/", true)] {
            assert_eq!(Client::new(base, None).is_ok(), ok, "{base}");
        }
    }

    #[test]
    fn a_token_with_a_line_break_is_refused() {
        assert!(Client::new("http://h", Some("a\r\nx: y".to_owned())).is_err());
    }
}
