//! An object as a remote describes it, and the part of it that is asked for.

/// Headers of an object, remote-independent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Bytes of this answer's body; `None` when the remote did not say.
    pub content_length: Option<u64>,
    pub content_type: Option<String>,
    /// As sent, quotes included.
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Present on a 206: `bytes 0-9/100`.
    pub content_range: Option<String>,
    pub accept_ranges: Option<String>,
}

/// One range of bytes (RFC 9110 section 14.1.2). Several ranges in one request are answered with the whole object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    From { first: u64 },
    Between { first: u64, last: u64 },
    Suffix { length: u64 },
}

impl ByteRange {
    /// `None` for what RFC 9110 tells a server to ignore: another unit, several ranges, nonsense.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let number = |text: &str| -> Option<u64> { if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None } };
        match header.trim().strip_prefix("bytes=")?.split_once('-')? {
            ("", length) => Some(Self::Suffix { length: number(length)? }),
            (first, "") => Some(Self::From { first: number(first)? }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between { first, last })
            }
        }
    }
}

impl std::fmt::Display for ByteRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::From { first } => write!(f, "bytes={first}-"),
            Self::Between { first, last } => write!(f, "bytes={first}-{last}"),
            Self::Suffix { length } => write!(f, "bytes=-{length}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteRange;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (text, range) in [
            ("bytes=5-1", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("items=0-1", None),
            ("bytes=0-0", Some(ByteRange::Between { first: 0, last: 0 })),
            ("bytes=7-", Some(ByteRange::From { first: 7 })),
            ("bytes=-3", Some(ByteRange::Suffix { length: 3 })),
        ] {
            assert_eq!(ByteRange::parse(text), range, "{text}");
        }
    }
}
