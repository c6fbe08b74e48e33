//! What a remote's answer is worth: it becomes an object, or an error that says whose fault it is.
//!
//! What it must never do: pass on a partial answer that is not the part that was asked for.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{Object, Read};
use crate::fetch::{Body, Inbound};
use crate::model::{ByteRange, Error, ObjectMeta, Result, Timestamp};

/// Nothing else of a remote's headers travels on: no `x-amz-*`, no cookie, no policy of the remote's.
static OF_OBJECTS: [HeaderName; 6] =
    [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::ETAG, header::LAST_MODIFIED, header::CONTENT_RANGE, header::ACCEPT_RANGES];
/// What comes with a 416 is the remote's own page, not the object's bytes.
static OF_NO_RANGE: [HeaderName; 1] = [header::CONTENT_RANGE];
/// For them, and for what the gateway adds when it gives them on.
const ROOM: usize = 12;

/// Headers of the client that a remote may see.
pub(super) fn request_headers(read: &Read, headers: &mut HeaderMap) -> Result<()> {
    if let Some(range) = read.range {
        headers.insert(header::RANGE, value("range", &range.to_string())?);
    }
    if let Some(etag) = &read.if_match {
        headers.insert(header::IF_MATCH, value("if-match", etag)?);
    }
    if let Some(etag) = &read.if_none_match {
        headers.insert(header::IF_NONE_MATCH, value("if-none-match", etag)?);
    }
    Ok(())
}

fn value(name: &str, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| Error::invalid("invalid_header", format!("the header '{name}' is not plain text")))
}

/// An answer that is an object, or tells of one: 200, 206, 304, 416. Others are `None`: the remote's own table judges them.
pub(super) fn object(inbound: Inbound, read: &Read) -> Result<Result<Object, Inbound>> {
    let status = inbound.status.as_u16();
    match status {
        200 => {}
        206 => check_range(read.range, &meta(&inbound.headers))?,
        304 if read.if_none_match.is_some() => {}
        416 if read.range.is_some() => {}
        _ => return Ok(Err(inbound)),
    }
    let names: &[HeaderName] = if status == 416 { &OF_NO_RANGE } else { &OF_OBJECTS };
    let body = if read.head || matches!(status, 304 | 416) { empty() } else { inbound.body };
    Ok(Ok(Object { status, headers: chosen(names, &inbound.headers), body }))
}

/// The first of each, where it is text, and a length where it is a number.
fn chosen(names: &[HeaderName], from: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(ROOM);
    for name in names {
        let value = match from.get(name) {
            Some(_) if *name == header::CONTENT_LENGTH => length(from).map(HeaderValue::from),
            given => given.filter(|value| value.to_str().is_ok()).cloned(),
        };
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    headers
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, &header::CONTENT_LENGTH)?.parse().ok()
}

pub(super) fn meta(headers: &HeaderMap) -> ObjectMeta {
    let text = |name| text(headers, &name).map(str::to_owned);
    ObjectMeta {
        content_length: length(headers),
        content_type: text(header::CONTENT_TYPE),
        etag: text(header::ETAG),
        last_modified: text(header::LAST_MODIFIED),
        content_range: text(header::CONTENT_RANGE),
        accept_ranges: text(header::ACCEPT_RANGES),
    }
}

/// U10: a 206 holds what was asked for, by its own `Content-Range` and `Content-Length`.
fn check_range(asked: Option<ByteRange>, meta: &ObjectMeta) -> Result<()> {
    let wrong = |why: &str| {
        Error::unavailable("range_mismatch", format!("the remote answered with another part than was asked for: {why}"))
            .with_remedy("See whether a cache or proxy before the remote answers ranges wrongly.")
    };
    let Some(asked) = asked else { return Err(wrong("none was asked for")) };
    let Some((first, last, total)) = meta.content_range.as_deref().and_then(content_range) else { return Err(wrong("it does not say which")) };
    let length = last - first + 1;
    if meta.content_length.is_some_and(|said| said != length) {
        return Err(wrong("its length is not the part's"));
    }
    let end = total.map(|total| total.saturating_sub(1));
    let fits = match asked {
        ByteRange::From { first: from } => first == from && end.is_none_or(|end| last == end),
        ByteRange::Between { first: from, last: to } => first == from && last == end.map_or(last.min(to), |end| end.min(to)),
        ByteRange::Suffix { length: wanted } => end.is_none_or(|end| last == end) && length == total.map_or(length.min(wanted), |total| total.min(wanted)),
    };
    if fits { Ok(()) } else { Err(wrong("its Content-Range is not the one asked for")) }
}

/// `bytes 0-9/100` or `bytes 0-9/*`
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let number = |text: &str| if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse::<u64>().ok() } else { None };
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let total = if total == "*" { None } else { Some(number(total)?) };
    let sound = first <= last && last < u64::MAX && total.is_none_or(|total| last < total);
    sound.then_some((first, last, total))
}

/// Seconds of a `Retry-After`; a date is not understood and an hour is the most.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u32> {
    let seconds: u32 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.min(3600))
}

pub(super) fn throttled(headers: &HeaderMap) -> Error {
    Error::unavailable("upstream_throttled", "the remote asks for fewer requests")
        .with_remedy("Test again later; the remote's owner may raise its limit.")
        .with_retry_after(retry_after(headers).unwrap_or(1))
}

pub(super) fn unavailable(headers: &HeaderMap, status: u16) -> Error {
    let error = Error::unavailable("upstream_unavailable", format!("the remote cannot answer now (status {status})"))
        .with_remedy("Test again later; if it stays, the remote's owner looks at its log.");
    match retry_after(headers) {
        Some(seconds) => error.with_retry_after(seconds),
        None => error,
    }
}

pub(super) fn redirect() -> Error {
    Error::rejected("redirect_denied", "the remote answered with a redirect, which is never followed")
        .with_remedy("Use the address that the remote redirects to.")
}

pub(super) fn changed() -> Error {
    Error::rejected("object_changed", "the object is not the one that was asked for: it has changed").with_remedy("Ask for the object as it is now.")
}

/// U15: names the offset, which is all that an operator needs to know. `date`: of the answer.
pub(super) fn clock_skew(date: Option<&str>, now: Timestamp, whose: &str) -> Error {
    let message = match date.and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok()) {
        Some(date) => {
            let offset = now.seconds() - date.unix_timestamp();
            let (amount, way) = (offset.unsigned_abs(), if offset < 0 { "behind" } else { "ahead of" });
            format!("the gateway's clock is {amount} seconds {way} {whose}")
        }
        None => format!("the gateway's clock is too far from {whose}"),
    };
    Error::unavailable("clock_skew", message).with_remedy("An operator sets the gateway's clock (NTP).")
}

pub(super) fn empty() -> Body {
    Body::new(Nothing)
}

/// A body without bytes.
struct Nothing;

impl http_body::Body for Nothing {
    type Data = Bytes;
    type Error = Error;
    fn poll_frame(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>>>> {
        std::task::Poll::Ready(None)
    }
    fn is_end_stream(&self) -> bool {
        true
    }
    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(content_range: &str, content_length: Option<u64>) -> ObjectMeta {
        ObjectMeta { content_range: Some(content_range.to_owned()), content_length, ..ObjectMeta::default() }
    }

    #[test]
    fn u10_a_part_that_was_not_asked_for_is_refused() {
        let (from, between, suffix) = (ByteRange::From { first: 5 }, ByteRange::Between { first: 0, last: 9 }, ByteRange::Suffix { length: 4 });
        let wrong = [
            (None, "bytes 0-9/100", None, "no range was asked for"),
            (Some(between), "bytes 1-10/100", None, "it begins elsewhere"),
            (Some(between), "bytes 0-8/100", None, "it ends early"),
            (Some(between), "bytes 0-10/100", None, "it ends late"),
            (Some(between), "bytes 0-10/*", None, "it ends late, of an unknown whole"),
            (Some(between), "bytes 0-9/5", None, "it ends after the whole"),
            (Some(between), "bytes 9-0/100", None, "it ends before it begins"),
            (Some(between), "bytes 0-9/100", Some(11), "its length disagrees"),
            (Some(between), "items 0-9/100", None, "another unit"),
            (Some(between), "bytes +0-9/100", None, "not a number"),
            (Some(between), "bytes 0-18446744073709551615/*", None, "a length that overflows"),
            (Some(from), "bytes 5-98/100", None, "the end is missing"),
            (Some(from), "bytes 0-99/100", None, "it begins too early"),
            (Some(suffix), "bytes 96-98/99", None, "too short a suffix"),
            (Some(suffix), "bytes 0-3/100", None, "the beginning, not the end"),
        ];
        for (asked, answered, length, why) in wrong {
            assert_eq!(check_range(asked, &partial(answered, length)).expect_err(why).code(), "range_mismatch", "{why}");
        }
        assert!(check_range(Some(between), &ObjectMeta::default()).is_err(), "no Content-Range at all");
        let right = [
            (between, "bytes 0-9/100", Some(10)),
            (between, "bytes 0-4/5", None),
            (between, "bytes 0-9/*", None),
            (from, "bytes 5-99/100", Some(95)),
            (suffix, "bytes 96-99/100", None),
            (suffix, "bytes 0-2/3", None),
        ];
        for (asked, answered, length) in right {
            assert!(check_range(Some(asked), &partial(answered, length)).is_ok(), "{asked} {answered}");
        }
    }

    fn inbound(status: u16, headers: &[(&'static str, &'static str)]) -> Inbound {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        Inbound { status: http::StatusCode::from_u16(status).expect("a status"), headers, body: empty() }
    }

    #[test]
    fn u10_u20_statuses_that_are_objects() {
        let range = Read { range: ByteRange::parse("bytes=0-9"), ..Read::default() };
        let conditional = Read { if_none_match: Some("\"e\"".to_owned()), ..Read::default() };
        assert!(matches!(object(inbound(304, &[]), &Read::default()), Ok(Err(_))), "304 to no condition");
        assert!(matches!(object(inbound(416, &[]), &Read::default()), Ok(Err(_))), "416 to no range");
        assert!(matches!(object(inbound(204, &[]), &Read::default()), Ok(Err(_))), "204 is no object");
        assert!(object(inbound(206, &[("content-range", "bytes 1-10/100")]), &range).is_err());
        let unsatisfied = object(inbound(416, &[("content-range", "bytes */5"), ("content-length", "300"), ("content-type", "application/xml")]), &range);
        let unsatisfied = unsatisfied.expect("judged").ok().expect("an object");
        assert_eq!(unsatisfied.meta(), ObjectMeta { content_range: Some("bytes */5".to_owned()), ..ObjectMeta::default() });
        assert_eq!(object(inbound(200, &[("content-length", "100")]), &range).expect("judged").ok().expect("the whole").status, 200);
        assert_eq!(object(inbound(304, &[]), &conditional).expect("judged").ok().expect("not modified").status, 304);
        let whole = object(inbound(200, &[("content-length", "-1"), ("x-amz-meta-secret", "s"), ("set-cookie", "c")]), &Read::default());
        assert_eq!(whole.expect("judged").ok().expect("an object").headers, HeaderMap::new());
    }

    #[test]
    fn u02_retry_after_is_bounded() {
        let after = |text: &'static str| retry_after(&inbound(429, &[("retry-after", text)]).headers);
        assert_eq!(after("7"), Some(7));
        assert_eq!(after("4294967295"), Some(3600));
        assert_eq!(after("-1"), None);
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
