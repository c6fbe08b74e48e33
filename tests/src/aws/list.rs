//! ListObjectsV2: one page of keys and common prefixes, in the order of their bytes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;

use time::format_description::well_known::Rfc3339;

use super::error::AwsError;
use super::sigv4::encode;
use super::world::Object;

pub fn page(bucket: &str, objects: &BTreeMap<String, Object>, query: &[(String, String)]) -> Result<String, AwsError> {
    let param = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if param("list-type") != Some("2") {
        return Err(argument("Invalid List Type specified in Request"));
    }
    let most = param("max-keys").map_or(Some(1000), |text| text.parse::<i64>().ok()).filter(|most| (0..=i64::from(i32::MAX)).contains(most));
    let most = usize::try_from(most.ok_or_else(|| argument("Provided max-keys not an integer or within integer range"))?.min(1000)).unwrap_or(1000);
    let url = match param("encoding-type") {
        None => false,
        Some("url") => true,
        Some(_) => return Err(argument("Invalid Encoding Method specified in Request")),
    };
    let (prefix, delimiter) = (param("prefix").unwrap_or(""), param("delimiter").filter(|text| !text.is_empty()));
    // A page goes on after a key, or after everything below a common prefix.
    let mut after = param("start-after").map(|key| Mark::Key(key.to_owned()));
    if let Some(token) = param("continuation-token") {
        after = Some(Mark::read(token).ok_or_else(|| argument("The continuation token provided is incorrect"))?);
    }
    let listing = Listing::take(objects, prefix, delimiter, after.as_ref(), most);

    let written = |text: &str| if url { encode(text.as_bytes(), true).replace("%20", "+") } else { escaped(text) };
    let mut xml = format!("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name><Prefix>{}</Prefix>", written(prefix));
    for (name, value) in [("Delimiter", delimiter), ("StartAfter", param("start-after"))] {
        if let Some(value) = value {
            _ = write!(xml, "<{name}>{}</{name}>", written(value));
        }
    }
    if let Some(token) = param("continuation-token") {
        _ = write!(xml, "<ContinuationToken>{}</ContinuationToken>", escaped(token));
    }
    if url {
        xml.push_str("<EncodingType>url</EncodingType>");
    }
    _ = write!(
        xml,
        "<KeyCount>{}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{}</IsTruncated>",
        listing.keys.len() + listing.prefixes.len(),
        listing.next.is_some()
    );
    if let Some(next) = &listing.next {
        _ = write!(xml, "<NextContinuationToken>{}</NextContinuationToken>", next.write());
    }
    for (key, object) in listing.keys {
        let modified = object.modified.replace_nanosecond(0).unwrap_or(object.modified).format(&Rfc3339).unwrap_or_default();
        _ = write!(
            xml,
            "<Contents><Key>{}</Key><LastModified>{modified}</LastModified><ETag>{}</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            written(key),
            escaped(&object.etag),
            object.content.len()
        );
    }
    for common in listing.prefixes {
        _ = write!(xml, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", written(common));
    }
    xml.push_str("</ListBucketResult>");
    Ok(xml)
}

enum Mark {
    Key(String),
    Below(String),
}

impl Mark {
    fn read(token: &str) -> Option<Self> {
        let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
        text.strip_prefix("k:").map(|key| Self::Key(key.to_owned())).or_else(|| text.strip_prefix("p:").map(|prefix| Self::Below(prefix.to_owned())))
    }

    fn write(&self) -> String {
        match self {
            Self::Key(key) => hex::encode(format!("k:{key}")),
            Self::Below(prefix) => hex::encode(format!("p:{prefix}")),
        }
    }

    fn passed(&self, key: &str) -> bool {
        match self {
            Self::Key(last) => key <= last.as_str(),
            Self::Below(prefix) => key < prefix.as_str() || key.starts_with(prefix.as_str()),
        }
    }
}

#[derive(Default)]
struct Listing<'a> {
    keys: Vec<(&'a str, &'a Object)>,
    prefixes: Vec<&'a str>,
    next: Option<Mark>,
}

impl<'a> Listing<'a> {
    fn take(objects: &'a BTreeMap<String, Object>, prefix: &str, delimiter: Option<&str>, after: Option<&Mark>, most: usize) -> Self {
        let mut listing = Self::default();
        let mut last = None;
        for (key, object) in objects.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix)) {
            let common = delimiter.and_then(|delimiter| {
                let end = key.get(prefix.len()..)?.find(delimiter)? + prefix.len() + delimiter.len();
                key.get(..end)
            });
            if after.is_some_and(|mark| mark.passed(key)) || (common.is_some() && listing.prefixes.last().copied() == common) {
                continue;
            }
            if listing.keys.len() + listing.prefixes.len() == most {
                // `max-keys=0` is answered with nothing, and as complete.
                listing.next = last;
                return listing;
            }
            match common {
                Some(common) => {
                    listing.prefixes.push(common);
                    last = Some(Mark::Below(common.to_owned()));
                }
                None => {
                    listing.keys.push((key, object));
                    last = Some(Mark::Key(key.clone()));
                }
            }
        }
        listing
    }
}

/// Control characters as references, as S3 writes them, though XML 1.0 forbids most.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            control if control.is_ascii_control() => _ = write!(out, "&#x{:x};", u32::from(control)),
            other => out.push(other),
        }
        out
    })
}

fn argument(message: &str) -> AwsError {
    AwsError::new(400, "InvalidArgument", message)
}
