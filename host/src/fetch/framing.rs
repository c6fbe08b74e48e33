//! Where an answer's head and body end (RFC 9112 §6 and §7). Pure: bytes in, pieces out.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, header};

/// A chunk's size with its extensions, which nobody here reads.
const MAX_CHUNK_LINE: usize = 1 << 10;
/// All trailers of a body; nobody here reads them either.
const MAX_TRAILERS: usize = 16 << 10;

/// What is still to come of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked(Chunk),
    /// The end of the socket ends the body.
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Size,
    Data(u64),
    /// The line end after a chunk's data.
    LineEnd,
    /// How many bytes of trailers there have been.
    Trailers(usize),
    Over,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes),
    /// Nothing goes on without further bytes.
    Missing,
    Over,
}

/// Where the body ends cannot be told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("what frames the body is malformed")]
pub(super) struct Malformed;

/// How long the head is that these bytes begin with, if it ends among them. The first `seen` were looked at before.
pub(super) fn head_end(bytes: &[u8], seen: usize) -> Option<usize> {
    // An end is three bytes at most, and two of them may have been seen.
    let from = seen.saturating_sub(2);
    memchr::memchr_iter(b'\n', bytes.get(from..)?).find_map(|at| match bytes.get(from + at + 1..)? {
        [b'\n', ..] => Some(from + at + 2),
        [b'\r', b'\n', ..] => Some(from + at + 3),
        _ => None,
    })
}

impl Framing {
    /// RFC 9112 §6.3. `None`: the head says something that nobody can be sure of.
    pub(super) fn of(asked: &Method, version: u8, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        if *asked == Method::HEAD || status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Some(Self::Length(0));
        }
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        if let Some(coding) = codings.next() {
            // It wins over a length. Any other coding would be given on as if it were the object.
            let chunked = version == 1 && codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            return chunked.then_some(Self::Chunked(Chunk::Size));
        }
        let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(length);
        let Some(first) = lengths.next() else { return Some(Self::Close) };
        let agreed = lengths.all(|other| other == first);
        first.filter(|_| agreed).map(Self::Length)
    }

    /// The next piece of the body, taken from the front of what has arrived.
    pub(super) fn next(&mut self, arrived: &mut BytesMut) -> Result<Piece, Malformed> {
        loop {
            match self {
                Self::Length(0) | Self::Chunked(Chunk::Over) => return Ok(Piece::Over),
                _ if arrived.is_empty() => return Ok(Piece::Missing),
                Self::Close => return Ok(Piece::Data(arrived.split().freeze())),
                Self::Length(left) => return Ok(Piece::Data(take(arrived, left))),
                Self::Chunked(Chunk::Data(left)) => {
                    let data = take(arrived, left);
                    if *left == 0 {
                        *self = Self::Chunked(Chunk::LineEnd);
                    }
                    return Ok(Piece::Data(data));
                }
                Self::Chunked(chunk) => match chunk.line(arrived)? {
                    Some(next) => *chunk = next,
                    None => return Ok(Piece::Missing),
                },
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Over))
    }

    /// How many bytes are to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(Chunk::Over) => Some(0),
            Self::Chunked(_) | Self::Close => None,
        }
    }
}

impl Chunk {
    /// Takes the line that comes before data, between, or after. `None`: it is not all there.
    fn line(&self, arrived: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        let (length, next) = match self {
            // The parser takes a line without digits for a size of nothing, and a line feed for a part of an extension.
            Self::Size => match memchr::memchr(b'\n', arrived) {
                None if arrived.len() < MAX_CHUNK_LINE => return Ok(None),
                Some(end) if end < MAX_CHUNK_LINE && arrived.first().is_some_and(u8::is_ascii_hexdigit) => match httparse::parse_chunk_size(arrived) {
                    Ok(httparse::Status::Complete((length, size))) if length == end + 1 => {
                        (length, if size == 0 { Self::Trailers(0) } else { Self::Data(size) })
                    }
                    Ok(_) | Err(_) => return Err(Malformed),
                },
                Some(_) | None => return Err(Malformed),
            },
            Self::LineEnd => match **arrived {
                [b'\r', b'\n', ..] => (2, Self::Size),
                [b'\r'] => return Ok(None),
                _ => return Err(Malformed),
            },
            Self::Trailers(before) => match memchr::memchr(b'\n', arrived) {
                Some(at) if at == 0 || (at == 1 && arrived.starts_with(b"\r")) => (at + 1, Self::Over),
                Some(at) if before + at < MAX_TRAILERS => (at + 1, Self::Trailers(before + at + 1)),
                None if before + arrived.len() < MAX_TRAILERS => return Ok(None),
                Some(_) | None => return Err(Malformed),
            },
            // No line is there: `next` never asks.
            Self::Data(_) | Self::Over => return Err(Malformed),
        };
        let _ = arrived.split_to(length);
        Ok(Some(next))
    }
}

fn take(arrived: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).map_or(arrived.len(), |left| left.min(arrived.len()));
    *left -= length as u64;
    arrived.split_to(length).freeze()
}

/// Digits and nothing else: no sign, and no number that does not fit.
fn length(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: Framing = Framing::Chunked(Chunk::Size);

    /// The body, as it is given on when what a remote sends arrives in pieces of `size` bytes; and what is left over.
    fn received(mut framing: Framing, sent: &[u8], size: usize) -> Result<(Vec<u8>, bool, usize), Malformed> {
        let (mut arrived, mut body) = (BytesMut::new(), Vec::new());
        for piece in sent.chunks(size) {
            arrived.extend_from_slice(piece);
            while let Piece::Data(data) = framing.next(&mut arrived)? {
                assert!(!data.is_empty(), "a piece of nothing");
                body.extend_from_slice(&data);
            }
        }
        Ok((body, framing.is_over(), arrived.len()))
    }

    /// What frames it, what is sent, its body, whether that is over then, and how much is left over.
    type Case<'a> = (Framing, &'a [u8], &'a [u8], bool, usize);

    #[test]
    fn u05_u07_a_body_is_the_same_however_it_arrives() {
        let large = [b"400\r\n".to_vec(), vec![b'x'; 0x400], b"\r\n0\r\n\r\n".to_vec()].concat();
        let cases: &[Case<'_>] = &[
            (Framing::Length(5), b"hello", b"hello", true, 0),
            (Framing::Length(5), b"hell", b"hell", false, 0),
            (Framing::Length(5), b"helloevil", b"hello", true, 4),
            (Framing::Close, b"hello", b"hello", false, 0),
            (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n", b"hello", true, 0),
            (CHUNKED, b"5\r\nhello\r\n6;a=\"b\"\r\n world\r\n000\r\nx: y\r\nz: a\r\n\r\n", b"hello world", true, 0),
            (CHUNKED, b"0\r\n\r\nHTTP/1.1 200 OK\r\n", b"", true, 17),
            (CHUNKED, b"5\r\nhello\r\n", b"hello", false, 0),
            (CHUNKED, b"5\r\nhello\r\n0\r\n", b"hello", false, 0),
            (CHUNKED, &large, &[b'x'; 0x400], true, 0),
        ];
        for (framing, sent, body, over, left) in cases {
            for size in 1..=sent.len() {
                let found = received(framing.clone(), sent, size).expect("a body");
                // Nothing is taken beyond the end, and what came later is not yet there.
                assert_eq!((found.0.as_slice(), found.1, found.2), (*body, *over, *left), "{} in pieces of {size}", String::from_utf8_lossy(sent));
            }
        }
    }

    #[test]
    fn u05_u07_chunks_that_nobody_can_be_sure_of_are_malformed() {
        let extension = [b"5;".to_vec(), vec![b'x'; MAX_CHUNK_LINE], b"\r\nhello\r\n0\r\n\r\n".to_vec()].concat();
        let trailers = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(MAX_TRAILERS / 6 + 1)].concat();
        let trailer = [b"0\r\n".to_vec(), vec![b'x'; MAX_TRAILERS]].concat();
        let cases: &[&[u8]] = &[
            b"\r\n\r\n",
            b" 5\r\nhello\r\n0\r\n\r\n",
            b";a\r\n\r\n",
            b"zz\r\n",
            b"-5\r\nhello",
            b"+5\r\nhello",
            b"0x5\r\nhello",
            b"5 5\r\nhello",
            b"5\nhello\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"5\r\nhello!\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"10000000000000000\r\nhello",
            &extension,
            &trailers,
            &trailer,
        ];
        for sent in cases {
            for size in [1, 7, sent.len()] {
                assert_eq!(received(CHUNKED, sent, size), Err(Malformed), "{} in pieces of {size}", String::from_utf8_lossy(sent));
            }
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn u05_u20_what_frames_a_body() {
        let (length, coding) = ("content-length", "transfer-encoding");
        let of = |version, lines: &[_]| Framing::of(&Method::GET, version, StatusCode::OK, &headers(lines));
        assert_eq!(of(1, &[]), Some(Framing::Close));
        for said in ["7", " 7 ", "7,7", "7, 7", "007"] {
            assert_eq!(of(1, &[(length, said)]), Some(Framing::Length(7)), "{said:?}");
        }
        assert_eq!(of(1, &[(length, "7"), (length, "7")]), Some(Framing::Length(7)));
        assert_eq!(of(1, &[(length, "18446744073709551615")]), Some(Framing::Length(u64::MAX)));
        for said in ["", "-7", "+7", "7 7", "0x7", "7.0", "7,", "7,8", "18446744073709551616", "seven"] {
            assert_eq!(of(1, &[(length, said)]), None, "{said:?}");
        }
        assert_eq!(of(1, &[(length, "7"), (length, "8")]), None);
        assert_eq!(of(1, &[(coding, "chunked")]), Some(CHUNKED));
        assert_eq!(of(1, &[(coding, "Chunked"), (length, "7")]), Some(CHUNKED), "the coding wins");
        for said in ["gzip", "gzip, chunked", "identity", "", "chunked, chunked", "xchunked"] {
            assert_eq!(of(1, &[(coding, said)]), None, "{said:?}: its coding would be given on as the object");
        }
        assert_eq!(of(1, &[(coding, "chunked"), (coding, "chunked")]), None);
        assert_eq!(of(0, &[(coding, "chunked")]), None, "HTTP/1.0 knows no chunks");
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 103), (Method::GET, 204), (Method::GET, 304)] {
            let status = StatusCode::from_u16(status).expect("a status");
            let framing = Framing::of(&method, 1, status, &headers(&[(length, "7"), (coding, "gzip")]));
            assert_eq!(framing, Some(Framing::Length(0)), "{method} {status}");
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_arrives() {
        for (bytes, end) in [
            ("", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r", None),
            ("HTTP/1.1 200 OK\r\n\r\nhello\r\n\r\n", Some(19)),
            ("HTTP/1.1 200 OK\n\nhello", Some(17)),
            ("HTTP/1.1 200 OK\r\na: b\r\n\r\n", Some(25)),
            ("HTTP/1.1 200 OK\r\na: b\n\r\n", Some(24)),
        ] {
            for seen in 0..=end.unwrap_or(bytes.len()).saturating_sub(1) {
                assert_eq!(head_end(bytes.as_bytes(), seen), end, "{bytes:?} after {seen}");
            }
        }
    }
}
