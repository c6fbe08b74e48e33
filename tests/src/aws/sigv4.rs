//! Verifies AWS Signature Version 4, in headers and in the query, as a service does. Written from AWS's published algorithm
//! ("Create a signed AWS API request"), apart from the gateway's signer on purpose: two copies of one mistake would agree.

use aws_lc_rs::{digest, hmac};
use http::HeaderMap;
use http::request::Parts;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SKEW: Duration = Duration::minutes(15);

/// How a service makes a path canonical: S3 takes the key as it is, the others resolve dots and encode once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRule {
    Exact,
    Normalized,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Header,
    Query { expires: i64 },
}

/// What a request says about its signature; nothing in it is verified yet.
#[derive(Clone, Debug)]
pub struct Claim {
    pub form: Form,
    pub access_key: String,
    pub date: OffsetDateTime,
    pub region: String,
    pub service: String,
    pub token: Option<String>,
    scope: String,
    signed_headers: Vec<String>,
    signature: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Not in the form of a signature at all.
    Malformed(String),
    /// Both in a header and in the query.
    Twice,
    /// An `x-amz-` header, or `host`, that the signature leaves open.
    Unsigned(String),
    /// More than 15 minutes away from our clock.
    Skewed,
    /// A presigned request past its time.
    Expired,
    NotYetValid,
    Mismatch,
}

/// `Ok(None)`: the request is not signed.
pub fn read(parts: &Parts) -> Result<Option<Claim>, Flaw> {
    let query = pairs(parts.uri.query().unwrap_or(""));
    let in_query = query.iter().any(|(name, _)| name == "X-Amz-Signature" || name == "X-Amz-Algorithm");
    match (parts.headers.get(http::header::AUTHORIZATION), in_query) {
        (Some(_), true) => Err(Flaw::Twice),
        (Some(value), false) => from_header(value.to_str().map_err(|_| malformed("Authorization"))?, &parts.headers).map(Some),
        (None, true) => from_query(&query).map(Some),
        (None, false) => Ok(None),
    }
}

impl Claim {
    /// `payload`: the last line of the canonical request: a hash in hex, or `UNSIGNED-PAYLOAD`.
    pub fn verify(&self, parts: &Parts, secret: &str, payload: &str, rule: PathRule, now: OffsetDateTime) -> Result<(), Flaw> {
        self.in_time(now)?;
        if !self.signed_headers.iter().any(|name| name == "host") {
            return Err(Flaw::Unsigned("host".into()));
        }
        let open = parts
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .find(|name| name.starts_with("x-amz-") && !self.signed_headers.iter().any(|signed| signed == name));
        if let Some(name) = open {
            return Err(Flaw::Unsigned(name.to_owned()));
        }
        let expected = self.signature_of(parts, secret, payload, rule)?;
        if expected == self.signature { Ok(()) } else { Err(Flaw::Mismatch) }
    }

    fn in_time(&self, now: OffsetDateTime) -> Result<(), Flaw> {
        match self.form {
            Form::Header if (now - self.date).abs() > SKEW => Err(Flaw::Skewed),
            Form::Header => Ok(()),
            Form::Query { .. } if self.date - now > SKEW => Err(Flaw::NotYetValid),
            Form::Query { expires } if now > self.date + Duration::seconds(expires) => Err(Flaw::Expired),
            Form::Query { .. } => Ok(()),
        }
    }

    fn signature_of(&self, parts: &Parts, secret: &str, payload: &str, rule: PathRule) -> Result<String, Flaw> {
        let request = [
            parts.method.as_str().as_bytes(),
            canonical_path(parts.uri.path(), rule)?.as_bytes(),
            canonical_query(parts.uri.query().unwrap_or("")).as_bytes(),
            &self.canonical_headers(&parts.headers)?,
            self.signed_headers.join(";").as_bytes(),
            payload.as_bytes(),
        ]
        .join(&b'\n');
        let stamp = self.date.format(format_description!("[year][month][day]T[hour][minute][second]Z")).map_err(|_| malformed("date"))?;
        let to_sign = format!("{ALGORITHM}\n{stamp}\n{}\n{}", self.scope, sha256_hex(&request));
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in self.scope.split('/') {
            key = mac(&key, part.as_bytes());
        }
        Ok(hex::encode(mac(&key, to_sign.as_bytes())))
    }

    /// Ends with the empty line that sets them apart from the list of names.
    fn canonical_headers(&self, headers: &HeaderMap) -> Result<Vec<u8>, Flaw> {
        let mut text = Vec::new();
        for name in &self.signed_headers {
            let values: Vec<Vec<u8>> = headers.get_all(name).iter().map(|value| trimmed(value.as_bytes())).collect();
            if values.is_empty() {
                return Err(malformed(name));
            }
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            text.extend(values.join(&b','));
            text.push(b'\n');
        }
        Ok(text)
    }
}

fn from_header(value: &str, headers: &HeaderMap) -> Result<Claim, Flaw> {
    let fields = value.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' ')).ok_or_else(|| malformed("algorithm"))?;
    let field = |name: &str| {
        let mut found = fields.split(',').filter_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        found.next().filter(|_| found.next().is_none()).ok_or_else(|| malformed(name))
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let date = header("x-amz-date").and_then(date).ok_or_else(|| malformed("X-Amz-Date"))?;
    let token = header("x-amz-security-token").map(str::to_owned);
    claim(Form::Header, field("Credential")?, date, field("SignedHeaders")?, field("Signature")?, token)
}

fn from_query(query: &[(String, String)]) -> Result<Claim, Flaw> {
    let field = |name: &str| {
        let mut found = query.iter().filter(|(key, _)| key == name);
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value.as_str()).ok_or_else(|| malformed(name))
    };
    if field("X-Amz-Algorithm")? != ALGORITHM {
        return Err(malformed("X-Amz-Algorithm"));
    }
    let expires = field("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=604_800).contains(seconds)).ok_or_else(|| malformed("X-Amz-Expires"))?;
    let date = date(field("X-Amz-Date")?).ok_or_else(|| malformed("X-Amz-Date"))?;
    let token = query.iter().find(|(name, _)| name == "X-Amz-Security-Token").map(|(_, value)| value.clone());
    claim(Form::Query { expires }, field("X-Amz-Credential")?, date, field("X-Amz-SignedHeaders")?, field("X-Amz-Signature")?, token)
}

fn claim(form: Form, credential: &str, date: OffsetDateTime, signed: &str, signature: &str, token: Option<String>) -> Result<Claim, Flaw> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key, day, region, service, "aws4_request"] = parts.as_slice() else { return Err(malformed("Credential")) };
    if access_key.is_empty() || date.format(format_description!("[year][month][day]")).ok().as_deref() != Some(day) {
        return Err(malformed("Credential"));
    }
    let signed_headers: Vec<String> = signed.split(';').map(str::to_owned).collect();
    let in_order = signed_headers.is_sorted_by(|a, b| a < b) && signed_headers.iter().all(|name| !name.is_empty() && *name == name.to_ascii_lowercase());
    if !in_order || signature.len() != 64 {
        return Err(malformed("SignedHeaders or Signature"));
    }
    Ok(Claim {
        form,
        access_key: (*access_key).to_owned(),
        date,
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        token,
        scope: format!("{day}/{region}/{service}/aws4_request"),
        signed_headers,
        signature: signature.to_owned(),
    })
}

fn malformed(what: &str) -> Flaw {
    Flaw::Malformed(what.to_owned())
}

fn date(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, format_description!("[year][month][day]T[hour][minute][second]Z")).ok().map(PrimitiveDateTime::assume_utc)
}

fn canonical_path(raw: &str, rule: PathRule) -> Result<String, Flaw> {
    match rule {
        PathRule::Exact => decode(raw, true).map(|key| encode(&key, true)).ok_or_else(|| malformed("path")),
        PathRule::Normalized => Ok(encode(without_dots(raw).as_bytes(), true)),
    }
}

fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            other => segments.push(other),
        }
    }
    let slash = if segments.is_empty() || !path.ends_with('/') { "" } else { "/" };
    format!("/{}{slash}", segments.join("/"))
}

fn canonical_query(raw: &str) -> String {
    let mut list: Vec<(String, String)> = pairs(raw)
        .into_iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encode(name.as_bytes(), false), encode(value.as_bytes(), false)))
        .collect();
    list.sort();
    list.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The decoded pairs of a query, in order. What is not UTF-8 is replaced, and so does not verify.
#[must_use]
pub fn pairs(raw: &str) -> Vec<(String, String)> {
    let text = |part: &str| String::from_utf8_lossy(&decode(part, true).unwrap_or_else(|| part.as_bytes().to_vec())).into_owned();
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// Percent-decoding; `plus`: a `+` is a space, as S3 reads it in paths and everyone in queries. `None`: a `%` without two digits.
#[must_use]
pub fn decode(text: &str, plus: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => u8::from_str_radix(std::str::from_utf8(&[rest.next()?, rest.next()?]).ok().filter(|digits| !digits.starts_with('+'))?, 16).ok()?,
            b'+' if plus => b' ',
            other => other,
        });
    }
    Some(bytes)
}

/// AWS's `UriEncode`.
#[must_use]
pub fn encode(bytes: &[u8], keep_slash: bool) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            b'/' if keep_slash => text.push('/'),
            other => _ = write!(text, "%{other:02X}"),
        }
        text
    })
}

#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// Without the spaces around, and with each run of spaces inside as one.
fn trimmed(value: &[u8]) -> Vec<u8> {
    value.split(|byte| *byte == b' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b' ')
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

#[cfg(test)]
mod tests;
