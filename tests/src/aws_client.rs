//! Signed requests to whatever speaks AWS, with AWS's own signer: what the tests ask the double and the referee.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::aws::Keys;

pub struct AwsClient {
    endpoint: Url,
    http: reqwest::Client,
    /// Added to the clock that it signs by; seconds.
    pub skew: i64,
}

/// One request. `target`: path and query as they go over the wire.
pub struct Ask<'a> {
    pub service: &'a str,
    pub region: &'a str,
    /// `None`: not signed.
    pub keys: Option<&'a Keys>,
    pub method: Method,
    pub target: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: String,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of that name; what it contains is not unescaped.
    #[must_use]
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    }

    /// `200`, or `403 AccessDenied`.
    #[must_use]
    pub fn outcome(&self) -> String {
        self.element("Code").map_or_else(|| self.status.as_u16().to_string(), |code| format!("{} {code}", self.status.as_u16()))
    }
}

impl AwsClient {
    #[must_use]
    pub fn new(endpoint: &Url) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(20)).build().unwrap();
        Self { endpoint: endpoint.clone(), http, skew: 0 }
    }

    pub async fn send(&self, ask: Ask<'_>) -> Reply {
        let url = format!("{}{}", self.endpoint.as_str().trim_end_matches('/'), ask.target);
        let mut request = http::Request::builder().method(ask.method.clone()).uri(&url);
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(ask.body.clone()).unwrap();
        if let Some(keys) = ask.keys {
            let headers = ask.headers.iter().copied();
            let signable = SignableRequest::new(ask.method.as_str(), &url, headers, SignableBody::Bytes(ask.body.as_bytes())).unwrap();
            let settings = settings(ask.service, SignatureLocation::Headers, None);
            let identity = credentials(keys).into();
            let params = v4::SigningParams::builder().identity(&identity).region(ask.region).name(ask.service).time(self.now()).settings(settings);
            let (instructions, _) = sign(signable, &params.build().unwrap().into()).unwrap().into_parts();
            instructions.apply_to_request_http1x(&mut request);
        }
        let response = self.http.execute(request.try_into().unwrap()).await.unwrap();
        Reply { status: response.status(), headers: response.headers().clone(), body: response.bytes().await.unwrap() }
    }

    pub async fn sts(&self, keys: Option<&Keys>, params: &[(&str, &str)]) -> Reply {
        let body = form(&[&[("Version", "2011-06-15")], params].concat());
        let headers = &[("content-type", "application/x-www-form-urlencoded")];
        self.send(Ask { service: "sts", region: "us-east-1", keys, method: Method::POST, target: "/", headers, body }).await
    }

    /// AssumeRole; the keys of the session, or the refusal.
    pub async fn assume(&self, keys: &Keys, role: &str, params: &[(&str, &str)]) -> Result<Keys, Reply> {
        let mut all = vec![("Action", "AssumeRole"), ("RoleArn", role)];
        if !params.iter().any(|(name, _)| *name == "RoleSessionName") {
            all.push(("RoleSessionName", "test-session"));
        }
        all.extend(params);
        let reply = self.sts(Some(keys), &all).await;
        let part = |name: &str| reply.element(name);
        match (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken")) {
            (Some(access_key_id), Some(secret_access_key), session_token @ Some(_)) => Ok(Keys { access_key_id, secret_access_key, session_token }),
            _ => Err(reply),
        }
    }

    pub async fn s3(&self, keys: Option<&Keys>, region: &str, method: Method, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(Ask { service: "s3", region, keys, method, target, headers, body: String::new() }).await
    }

    pub async fn get(&self, keys: &Keys, region: &str, target: &str) -> Reply {
        self.s3(Some(keys), region, Method::GET, target, &[]).await
    }

    /// A presigned GET, as a target: path and query.
    #[must_use]
    pub fn presign(&self, keys: &Keys, region: &str, path: &str, expires: Duration) -> String {
        let url = format!("{}{path}", self.endpoint.as_str().trim_end_matches('/'));
        let signable = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::UnsignedPayload).unwrap();
        let identity = credentials(keys).into();
        let settings = settings("s3", SignatureLocation::QueryParams, Some(expires));
        let params = v4::SigningParams::builder().identity(&identity).region(region).name("s3").time(self.now()).settings(settings).build().unwrap();
        let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
        let mut request = http::Request::get(&url).body(()).unwrap();
        instructions.apply_to_request_http1x(&mut request);
        request.uri().path_and_query().unwrap().to_string()
    }

    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.skew.unsigned_abs());
        if self.skew < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }
}

#[must_use]
pub fn form(params: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

fn credentials(keys: &Keys) -> Credentials {
    Credentials::new(&keys.access_key_id, &keys.secret_access_key, keys.session_token.clone(), None, "tests")
}

fn settings(service: &str, location: SignatureLocation, expires: Option<Duration>) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.signature_location = location;
    settings.expires_in = expires;
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        if location == SignatureLocation::Headers {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
    }
    settings
}
