//! `GET` and `HEAD /objects`: an object's bytes, from its remote to the client, through nobody's memory. The hot path.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::openapi::objects as described;
use super::params::{Params, wrong};
use super::routes::Routes;
use super::{Answer, Shared};
use crate::broker::{Object, Read};
use crate::model::{ByteRange, Caller, Error};

const MAX_SOURCE: usize = 4096;
/// Whatever a customer stores, a browser treats it as data: no script in it runs, and nothing else is loaded for it.
const INERT: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

pub fn routes() -> Routes {
    Routes::new("objects").get_and_head("/objects", read, described::read(), described::head())
}

/// `?connection=&source_path=`, with `Range`, `If-Match` and `If-None-Match`.
async fn read(State(gateway): Shared, caller: Caller, request: Request) -> Answer {
    let mut params = Params::of(request.uri())?;
    let (connection, source) = (params.require("connection")?, params.require("source_path")?);
    params.finish()?;
    if source.is_empty() || source.len() > MAX_SOURCE || source.contains('\0') {
        return Err(wrong("'source_path' is 1 to 4096 bytes without NUL").into());
    }
    let asked = asked(request.method(), request.headers())?;
    let head = asked.head;
    answer(gateway.app.connections.open(&caller, &connection, &source, asked).await?, head)
}

/// What the method and the headers of a request ask for.
pub fn asked(method: &Method, headers: &HeaderMap) -> Result<Read, Error> {
    let (if_match, if_none_match) = (text(headers, header::IF_MATCH)?, text(headers, header::IF_NONE_MATCH)?);
    Ok(Read { head: method == Method::HEAD, range: range(headers), if_match, if_none_match, ..Read::default() })
}

pub fn answer(object: Object, head: bool) -> Answer {
    let Object { status, headers, body } = object;
    // What a remote says of a range that it does not have is not the object.
    let bodiless = head || matches!(status, 304 | 416);
    let mut response = Response::new(if bodiless { Body::empty() } else { Body::new(body) });
    *response.status_mut() =
        StatusCode::from_u16(status).map_err(|error| Error::internal("status_unknown", "the broker answered with no HTTP status").with_source(error))?;
    *response.headers_mut() = headers;
    let out = response.headers_mut();
    out.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
    if status == 304 {
        out.remove(header::CONTENT_LENGTH);
    }
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    out.insert(header::CONTENT_SECURITY_POLICY, INERT);
    Ok(response)
}

/// `If-Range` asks for a comparison that only the remote can make, so with it the whole object is sent, as RFC 9110 allows.
fn range(headers: &HeaderMap) -> Option<ByteRange> {
    if headers.contains_key(header::IF_RANGE) {
        return None;
    }
    ByteRange::parse(headers.get(header::RANGE)?.to_str().ok()?)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(&name) else { return Ok(None) };
    value.to_str().map(|text| Some(text.to_owned())).map_err(|_| Error::invalid("invalid_header", format!("{name} is not visible ASCII")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_asked_for_only_where_it_needs_no_comparison() {
        let mut headers = HeaderMap::new();
        assert_eq!(range(&headers), None);
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-9"));
        assert_eq!(range(&headers), Some(ByteRange::Between { first: 0, last: 9 }));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"x\""));
        assert_eq!(range(&headers), None);
    }
}
