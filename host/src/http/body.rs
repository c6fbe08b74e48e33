//! Request bodies: JSON of a known size, read strictly. What two parsers could read in two ways is refused.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header;
use bytes::BytesMut;
use http_body::Body as _;
use http_body_util::BodyExt;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::fields::Fields;
use super::problem::Problem;
use crate::model::Error;

pub const MAX_BODY: usize = 1 << 20;
const MAX_DEPTH: usize = 64;
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Json {
    pub fields: Fields,
    pub bytes: Bytes,
}

/// The body as an object. 415 for another type or an encoded body, 413 over `limit`, 408 when it takes too long, 400 for what is not JSON.
pub async fn read(request: Request, limit: usize) -> Result<Json, Problem> {
    match collected(request, "application/json", limit).await? {
        Some(bytes) => Ok(Json { fields: Fields::new(parse(&bytes)?), bytes }),
        None => Err(Error::limit("body_too_large", format!("a body is at most {limit} bytes here")).into()),
    }
}

/// A component, as bytes: with the refusals of `read`, but `component_too_large`.
pub async fn read_component(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Error::limit("component_too_large", format!("a component is at most {limit} bytes")).into();
    collected(request, "application/wasm", limit).await?.ok_or_else(too_large)
}

/// `None`: it is larger than `limit`. The rest of it is the connection's: see `linger`.
async fn collected(request: Request, media_type: &str, limit: usize) -> Result<Option<Bytes>, Problem> {
    let headers = request.headers();
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::unsupported_media_type("encoded bodies are not read; send it without Content-Encoding"));
    }
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(media_type) {
        return Err(Problem::unsupported_media_type(&format!("send the body as Content-Type: {media_type}")));
    }
    match tokio::time::timeout(PATIENCE, collect(request.into_body(), limit)).await {
        Err(_) => Err(Problem::request_timeout()),
        Ok(outcome) => Ok(outcome.map_err(|_| Error::invalid("body_unreadable", "the body broke off"))?),
    }
}

/// `None`: it is larger than `limit`, as far as it says or as we have read.
async fn collect(mut body: Body, limit: usize) -> Result<Option<Bytes>, axum::Error> {
    if body.size_hint().lower() > limit as u64 {
        return Ok(None);
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes.freeze()))
}

/// An empty body counts as an empty object: for requests whose every field may be left out.
pub async fn read_optional(request: Request, limit: usize) -> Result<Fields, Problem> {
    if request.body().is_end_stream() { Ok(Fields::new(Map::new())) } else { Ok(read(request, limit).await?.fields) }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: MAX_DEPTH }.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    match value {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Error::invalid("malformed_json", "the body is JSON, but not an object")),
        Err(error) => Err(Error::invalid("malformed_json", format!("the body is not strict JSON: {error}"))),
    }
}

/// Like `Value`'s own, but refuses a name that comes twice and whatever is nested deeper than `depth`.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        self.depth.checked_sub(1).map(|depth| Self { depth }).ok_or_else(|| E::custom(format!("nested deeper than {MAX_DEPTH}")))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(list.into())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom("a name comes twice in one object"));
            }
            map.insert(name, entries.next_value_seed(below)?);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o07_o09_what_is_not_strict_json_is_refused() {
        let deep_list = "[".repeat(100_000);
        let deep_map = "{\"a\":".repeat(100_000);
        let too_deep = format!("{{\"a\":{}1{}}}", "[".repeat(64), "]".repeat(64));
        for (what, text) in [
            ("nothing", ""),
            ("a list", "[]"),
            ("two values", "{} {}"),
            ("100,000 lists", deep_list.as_str()),
            ("100,000 objects", deep_map.as_str()),
            ("65 levels", too_deep.as_str()),
            ("a number beyond doubles", "{\"a\":1e999999}"),
            ("a lone surrogate", "{\"a\":\"\\ud800\"}"),
            ("a byte order mark", "\u{feff}{}"),
            ("a raw NUL", "{\"a\":\"\0\"}"),
            ("NaN", "{\"a\":NaN}"),
            ("a name twice", "{\"a\":1,\"a\":2}"),
            ("a name twice, inside", "{\"a\":{\"b\":1,\"b\":2}}"),
            ("a comment", "{/**/}"),
            ("a trailing comma", "{\"a\":1,}"),
        ] {
            assert_eq!(parse(text.as_bytes()).expect_err(what).code(), "malformed_json", "{what}");
        }
        assert!(parse(&[b'{', b'"', 0xff, b'"', b':', b'1', b'}']).is_err(), "invalid UTF-8");
        let deepest = format!("{{\"a\":{}1{}}}", "[".repeat(63), "]".repeat(63));
        assert!(parse(deepest.as_bytes()).is_ok());
    }

    #[tokio::test]
    async fn o10_only_plain_json_is_read() {
        for (name, value, status) in
            [("content-type", "text/plain", 415), ("content-type", "application/json; charset=utf-8", 200), ("content-encoding", "gzip", 415)]
        {
            let mut request = Request::builder();
            if name != "content-type" {
                request = request.header("content-type", "application/json");
            }
            let request = request.header(name, value).body(axum::body::Body::from("{}")).unwrap();
            let outcome = read(request, MAX_BODY).await;
            let got = outcome.map_or_else(|problem| axum::response::IntoResponse::into_response(problem).status().as_u16(), |_| 200);
            assert_eq!(got, status, "{name}: {value}");
        }
    }

    #[tokio::test]
    async fn o05_a_body_over_the_limit_is_refused() {
        let request = Request::builder().header("content-type", "application/json").body(axum::body::Body::from(vec![b' '; 11])).unwrap();
        let Err(problem) = read(request, 10).await else { panic!("accepted") };
        assert_eq!(axum::response::IntoResponse::into_response(problem).status().as_u16(), 413);
    }
}
