//! The gateway's API as a client sees it: paths, JSON and statuses, nothing of the gateway's own types.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

#[derive(Clone)]
pub struct Api {
    url: String,
    token: String,
    http: reqwest::Client,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `null` where it is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Of a problem.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The pointers of a problem's wrong fields.
    #[must_use]
    pub fn pointers(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
    }

    /// Its JSON, if it has that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// Checks that it is a problem in the one form of the API.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let document = self.json();
        assert!(document["detail"].is_string() && document["request_id"].is_string() && document["status"] == status, "{document}");
    }
}

impl Api {
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(60)).build().unwrap();
        Self { url: url.to_owned(), token: token.to_owned(), http }
    }

    /// Over TLS, with the system's authorities and this one (PEM). It has connections of its own.
    #[must_use]
    pub fn trusting(&self, authority: &[u8]) -> Self {
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(60));
        let http = builder.add_root_certificate(reqwest::Certificate::from_pem(authority).unwrap()).build().unwrap();
        Self { http, ..self.clone() }
    }

    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap_or_else(|| panic!("{path}: the connection was closed without an answer"))
    }

    /// `None`: the connection was closed without an answer.
    pub async fn try_send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Option<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.ok()?;
        Some(Answer { status: response.status(), headers: response.headers().clone(), body: response.bytes().await.unwrap_or_default() })
    }

    async fn with_json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], Some(serde_json::to_vec(body).unwrap())).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.with_json(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.with_json(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.with_json(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// An object through a connection.
    pub async fn object(&self, method: Method, connection: &str, source: &str, headers: &[(&str, &str)]) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("connection", connection), ("source_path", source)]).finish();
        self.send(method, &format!("/api/v1/objects?{query}"), headers, None).await
    }

    pub async fn read(&self, connection: &str, source: &str) -> Answer {
        self.object(Method::GET, connection, source, &[]).await
    }

    /// A token of another role or organization, which is made if it is not there yet.
    pub async fn token(&self, organization: &str, role: &str) -> Self {
        let made = self.post("/api/v1/organizations", &json!({"organization": organization})).await;
        assert!(made.status == 201 || ["organization_exists", "role_required"].contains(&made.code().as_str()), "{}", made.text());
        let minted = self.post("/api/v1/tokens", &json!({"name": format!("{role}-of-{organization}"), "role": role, "organization": organization})).await;
        self.with_token(minted.expect(201)["token"].as_str().unwrap())
    }

    /// The job, once it has ended.
    pub async fn finished(&self, job: &str) -> Value {
        let start = Instant::now();
        loop {
            let state = self.get(&format!("/api/v1/ingestion/jobs/{job}")).await.expect(200);
            if ["completed", "failed", "stopped"].iter().any(|last| state["status"] == *last) {
                return state;
            }
            assert!(start.elapsed() < Duration::from_secs(120), "the job does not end: {state}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Every item of a paged list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..1000 {
            let mark = if path.contains('?') { '&' } else { '?' };
            let more = cursor.as_ref().map(|cursor| format!("{mark}cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("{path}{more}")).await.expect(200);
            items.extend(page["items"].as_array().cloned().unwrap());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return items;
            }
        }
        panic!("{path} does not end");
    }
}
