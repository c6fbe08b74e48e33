//! Percent-encoding (RFC 3986 section 2.1), exact: an escape that is not one is refused, never guessed at.

use percent_encoding::percent_decode_str;

use crate::Error;

/// Every `%` begins an escape of two hex digits.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    let mut escapes = text.split('%');
    escapes.next();
    let whole = |after: &str| matches!(after.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    if escapes.all(whole) { Ok(()) } else { Err(Error::invalid("broken_url", "a '%' in a URL is followed by two hex digits; a literal '%' is written %25")) }
}

/// What the escapes stand for. `+` stays `+`: it means a space in forms only.
pub(crate) fn decode(text: &str) -> Result<String, Error> {
    check(text)?;
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| Error::invalid("broken_url", "the URL's escapes are not UTF-8"))
}

/// What no URL holds raw: a parser on the way would drop, turn or split it.
pub(crate) fn check_raw(url: &str) -> Result<(), Error> {
    let message = match url.bytes().find(|byte| byte.is_ascii_control() || matches!(byte, b' ' | b'\\' | b'#')) {
        None => return Ok(()),
        Some(b' ') => "a URL has no space: write it as %20",
        Some(b'\\') => "a URL has no backslash: write it as %5C",
        Some(b'#') => "a URL here has no fragment: write a '#' that is part of the name as %23",
        Some(_) => "a URL has no control characters: write them percent-encoded",
    };
    Err(Error::invalid("broken_url", message))
}
