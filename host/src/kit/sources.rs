//! Source paths to try: those that a connector should plan, every public form of an S3 address, and what strangers would write.
//! The rows in brackets are those of the security tests that each is taken from.

use std::fmt::Write as _;

use super::example::Example;
use crate::model::Region;
use crate::policy::EgressRule;

/// What a made-up path ends in; `vary` puts another name in its place.
pub const SEAT: &str = "kit/a.jpg";
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// Stands for a signature: no message may repeat it.
pub const CANARY: &str = "kitcanary";

/// Where the objects of an example are.
#[derive(Clone, Debug)]
pub enum Place {
    S3 {
        bucket: String,
        prefix: String,
    },
    /// `origin`: without a slash at its end. `prefix`: "" or `/folder`.
    Web {
        host: String,
        port: u16,
        prefix: String,
    },
}

/// What the settings call that, if they do.
fn named<'a>(example: &'a Example, what: &str) -> Option<&'a str> {
    example.settings.as_object().into_iter().flatten().filter(|(name, _)| name.contains(what)).find_map(|(_, value)| value.as_str())
}

impl Place {
    /// Of an egress of every bucket: the one that the settings name, or any.
    pub fn of(example: &Example) -> Vec<Self> {
        let place = |rule: &EgressRule| match rule {
            EgressRule::S3 { bucket: Some(bucket), prefix } => Self::S3 { bucket: bucket.as_str().to_owned(), prefix: prefix.clone() },
            EgressRule::S3 { bucket: None, .. } => Self::S3 {
                bucket: named(example, "bucket").unwrap_or("kit-bucket").to_owned(),
                prefix: named(example, "prefix").unwrap_or_default().to_owned(),
            },
            EgressRule::Web { host, port, path_prefix, .. } => Self::Web { host: host.clone(), port: *port, prefix: path_prefix.clone() },
        };
        example.grant.egress.0.iter().map(place).collect()
    }
}

pub fn origin(host: &str, port: u16) -> String {
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

/// Everything that may be a source path of these settings: whoever plans some of it has shown that it can.
pub fn candidates(example: &Example, schemes: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for place in Place::of(example) {
        match place {
            Place::S3 { bucket, prefix } => {
                found.extend([format!("s3://{bucket}/{prefix}{SEAT}"), format!("https://{bucket}.s3.amazonaws.com/{prefix}{SEAT}")]);
            }
            Place::Web { host, port, prefix } => {
                found.extend([format!("{}{prefix}/{SEAT}", origin(&host, port)), format!("{prefix}/{SEAT}")]);
            }
        }
    }
    for scheme in schemes.iter().filter(|scheme| !["s3", "https"].contains(&scheme.as_str())) {
        let texts = example.settings.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
        found.extend(texts.take(16).map(|text| format!("{scheme}://{text}/{SEAT}")));
        found.extend([format!("{scheme}://{SEAT}"), format!("{scheme}:{DIGEST}"), format!("{scheme}:{SEAT}")]);
    }
    found.extend([SEAT.to_owned(), DIGEST.to_owned()]);
    found.extend(example.sources.iter().take(50).cloned());
    let mut unique: Vec<String> = Vec::new();
    for source in found {
        if !unique.contains(&source) {
            unique.push(source);
        }
    }
    unique
}

/// Another path of the same kind: names of many beginnings, endings, depths and lengths. `None` where it is not known what may change.
pub fn vary(source: &str, number: usize) -> Option<String> {
    const LETTERS: &[u8; 62] = b"zabcdefghijklmnopqrstuvwxy0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const ENDS: [&str; 6] = [".jpg", ".mp4", ".csv", "", ".parquet", ".JSON"];
    if let Some(start) = source.strip_suffix(SEAT) {
        let letter = char::from(*LETTERS.get(number % LETTERS.len())?);
        let folders = "folder/".repeat(number % 4);
        let long = "x".repeat(if number % 50 == 49 { 200 } else { 0 });
        return Some(format!("{start}{letter}{folders}{number:04}{long}{}", ENDS.get(number % ENDS.len())?));
    }
    source.contains(DIGEST).then(|| source.replace(DIGEST, &format!("{:064x}", number + 1)))
}

/// Unreserved characters and slashes stay (RFC 3986 section 2.3).
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Keys that somebody on the way would like to change [S08-S11, S15, S16].
const KEYS: [&str; 13] =
    ["a b.jpg", "a+b.jpg", "100%.txt", "a%2Fb", "a//b", "a/", "日本語/🧪.png", "x?y", "x#y", "x&y=z;w:v@u,t$s!r*q'p(o)[n]", "x~y\"z<w>|v`^u", " x ", "x\\y"];

/// A source path in each public form, and the key that it stands for [S01-S03].
pub fn s3_forms(bucket: &str, prefix: &str, region: &Region, schemes: &[String]) -> Vec<(String, String)> {
    let (claims, suffix, at) = (|scheme: &str| schemes.iter().any(|claimed| claimed == scheme), region.dns_suffix(), region.as_str());
    let plain = format!("{prefix}{SEAT}");
    let mut forms: Vec<(String, String)> = Vec::new();
    if claims("s3") {
        forms.push((format!("s3://{bucket}/{plain}"), plain.clone()));
        forms.extend(KEYS.map(|key| (format!("s3://{bucket}/{prefix}{key}"), format!("{prefix}{key}"))));
    }
    if claims("https") {
        let path = encoded(&plain);
        let mut hosts = vec![format!("s3.{at}"), format!("s3.dualstack.{at}")];
        if region.partition() == "aws" {
            hosts.extend([format!("s3-{at}"), "s3".to_owned(), format!("s3-fips.{at}"), format!("s3-fips.dualstack.{at}")]);
            hosts.extend((at == "us-east-1").then(|| "s3-external-1".to_owned()));
            forms.push((format!("https://{bucket}.s3-accelerate.amazonaws.com/{path}"), plain.clone()));
        }
        for host in hosts {
            forms.push((format!("https://{bucket}.{host}.{suffix}/{path}"), plain.clone()));
            forms.push((format!("https://{host}.{suffix}/{bucket}/{path}"), plain.clone()));
        }
        let keyed = |key: &str| (format!("https://{bucket}.s3.{at}.{suffix}/{}", encoded(&format!("{prefix}{key}"))), format!("{prefix}{key}"));
        forms.extend(KEYS.map(keyed));
        // A plus is a plus: only in forms it means a space.
        forms.push((format!("https://s3.{at}.{suffix}/{bucket}/{}a+b.jpg", encoded(prefix)), format!("{prefix}a+b.jpg")));
        forms.push((format!("https://{bucket}.S3.{at}.{suffix}:443/{path}"), plain));
    }
    forms
}

/// For a connector whose objects are URLs: what is written, and the URL that it stands for.
pub fn web_forms(host: &str, port: u16, prefix: &str) -> Vec<(String, String)> {
    let origin = origin(host, port);
    let mut forms: Vec<(String, String)> = [SEAT, "kit/a%20b.jpg", "kit/a%2Bb.jpg", "kit/100%25.txt"]
        .iter()
        .map(|path| format!("{origin}{prefix}/{path}"))
        .map(|url| (url.clone(), url))
        .collect();
    // [E11]
    forms.push((format!("https://{}:{port}{prefix}/{SEAT}", host.to_ascii_uppercase()), format!("{origin}{prefix}/{SEAT}")));
    forms
}

/// Nobody's to plan, whatever the settings.
const NOT_OURS: [&str; 19] = [
    "ftp://assets.example.com/x",
    "file:///etc/passwd",
    "gopher://assets.example.com/x",
    "https://evil.example/x",
    "https://c2VjcmV0.evil.example/x",
    "http://evil.example/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/x",
    "https://[::ffff:169.254.169.254]/x",
    "https://[fe80::1%25eth0]/x",
    "https://2852039166/x",
    "https://0xA9FEA9FE/x",
    "https://127.1/x",
    "https://0x7f.1/x",
    "https://①⑥⑨。②⑤④。①⑥⑨。②⑤④/x",
    "https:///x",
    "https://evil.example:443/x",
    "HTTPS://EVIL.EXAMPLE/x",
    "https://evil.example\t/x",
];

/// Addresses of others that look like ours [E01-E10, E12, E25, S04-S07, S12, S17, S18, S21, S22]: each has to be an error.
pub fn not_ours(place: &Place) -> Vec<String> {
    let mut found: Vec<String> = NOT_OURS.map(str::to_owned).to_vec();
    match place {
        Place::Web { host, port, prefix } => {
            let (at, o) = (format!("{host}:{port}"), origin(host, *port));
            found.extend([
                format!("http://{at}{prefix}/x"),
                format!("https://{at}@evil.example{prefix}/x"),
                format!("https://u:p@{at}{prefix}/x"),
                format!("https://evil.example\\@{at}{prefix}/x"),
                format!("https://evil.example#@{at}{prefix}/x"),
                format!("https://evil.example?@{at}{prefix}/x"),
                format!("https://{host}.evil.example:{port}{prefix}/x"),
                format!("https://evil{at}{prefix}/x"),
                format!("https://{host}%2eevil.example:{port}{prefix}/x"),
                format!("https://{host}:65536{prefix}/x"),
                format!("https:// {at}{prefix}/x"),
                format!("{o}\\{prefix}/x"),
            ]);
            let other_ports = ["22", "6379", "0"].iter().filter(|other| **other != port.to_string());
            found.extend(other_ports.map(|other| format!("https://{host}:{other}{prefix}/x")));
        }
        Place::S3 { bucket, prefix } => {
            let long = "k".repeat(1025);
            let host = format!("{bucket}.s3.amazonaws.com");
            found.extend([
                format!("https://{host}.evil.example/{prefix}k"),
                format!("https://{host}.co/{prefix}k"),
                format!("https://s3.evilamazonaws.com/{bucket}/{prefix}k"),
                format!("https://{host}:8443/{prefix}k"),
                format!("http://{host}/{prefix}k"),
                format!("https://u:p@{host}/{prefix}k"),
                format!("https://evil.example\\@{host}/{prefix}k"),
                format!("https://evil.example#@{host}/{prefix}k"),
                format!("https://{bucket}.s3-website-us-east-1.amazonaws.com/{prefix}k"),
                format!("https://{bucket}.s3-website.eu-central-1.amazonaws.com/{prefix}k"),
                format!("https://{bucket}-123456789012.s3-accesspoint.us-east-1.amazonaws.com/{prefix}k"),
                "arn:aws:s3:us-east-1:123456789012:accesspoint/kit/object/k".to_owned(),
                "s3://kit-s3alias/k".to_owned(),
                "s3://kit--usw2-az1--x-s3/k".to_owned(),
                format!("https://{host}/{prefix}k?X-Amz-Signature={CANARY}&X-Amz-Security-Token={CANARY}"),
                format!("https://{host}/{prefix}k?acl"),
                format!("https://{host}/{prefix}k?policy"),
                format!("https://{host}/{prefix}k?response-content-type=text/html"),
                format!("s3://{bucket}/{prefix}.."),
                format!("s3://{bucket}/{prefix}a/../b"),
                format!("https://s3.amazonaws.com/{bucket}/{prefix}%2e%2e/b"),
                format!("https://s3.amazonaws.com/{bucket}/../other-bucket/secret"),
                format!("s3://{bucket}/{prefix}a\0b"),
                format!("s3://{bucket}/{long}"),
                format!("s3://{bucket}"),
                format!("s3://{bucket}/"),
                "s3://KIT/k".to_owned(),
                "s3://192.168.5.4/k".to_owned(),
                format!("https://{bucket}.s3.xx-fake-9.amazonaws.com/{prefix}k"),
            ]);
        }
    }
    found
}

/// Names to some and traps to others [E09, E24, E27, S12, S17-S19]: planned or refused, but never outside of the egress.
pub fn anything(place: &Place) -> Vec<String> {
    let mut found: Vec<String> = [
        "",
        "?",
        "#",
        "?x=1",
        "a#b",
        "a b",
        "../x",
        "..%2fx",
        "%2e%2e/x",
        "a/../../x",
        "/..",
        "/../x",
        "..\\x",
        "//evil.example/x",
        "\\\\evil.example\\x",
        "/\\evil.example/x",
        "https:evil.example",
        "https:/evil.example/x",
        " https://evil.example/x",
        "data:,x",
        "javascript:alert(1)",
        "a\r\nHost: evil.example",
        "a\0b",
        "%",
        "%zz",
        "%00",
        "/a%0d%0aHost:%20evil.example",
        "\u{202e}gpj.exe",
        "{settings.hostname}",
        "~",
        "s3://kit-other-bucket/k",
        "@evil.example/x",
        ":443/x",
        ".evil.example/x",
    ]
    .map(str::to_owned)
    .to_vec();
    found.extend(["x".repeat(4096), "é".repeat(2048), "/".repeat(1000)]);
    match place {
        Place::Web { host, port, prefix } => {
            let at = origin(host, *port);
            found.extend([
                format!("{at}/kit-outside/x"),
                format!("/kit-outside/x?sig={CANARY}"),
                format!("{at}{prefix}/x?X-Amz-Signature={CANARY}&sig={CANARY}"),
                format!("{at}{prefix}/../x"),
                format!("{at}{prefix}/%2e%2e/x"),
                format!("{at}{prefix}/..%2fx"),
                format!("{at}{prefix}evil/x"),
                format!("{prefix}evil/x"),
                format!("{prefix}/%2e%2e%2fx"),
                format!("{prefix}/a\tb"),
            ]);
        }
        Place::S3 { bucket, prefix } => {
            found.extend([
                format!("s3://{bucket}/"),
                format!("s3://{bucket}/kit-outside/x"),
                format!("s3://{bucket}/{prefix}a\nb"),
                format!("S3://{bucket}/{prefix}k"),
            ]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b09_varied_paths_are_different_and_begin_and_end_in_many_ways() {
        let paths: Vec<String> = (0..1000).filter_map(|number| vary("s3://b/kit/a.jpg", number)).collect();
        let unique: std::collections::BTreeSet<&String> = paths.iter().collect();
        let first: std::collections::BTreeSet<char> = paths.iter().filter_map(|path| path.chars().nth("s3://b/".len())).collect();
        assert_eq!((paths.len(), unique.len(), first.len()), (1000, 1000, 62));
        assert_eq!(vary(&format!("sha256:{DIGEST}"), 0).map(|path| path.len()), Some(71));
        assert_eq!(vary("whatever", 0), None);
    }

    #[test]
    fn b09_s01_s02_each_form_stands_for_its_key() {
        let forms = s3_forms("bkt", "", &Region::new("us-east-1").expect("a region"), &["s3".to_owned(), "https".to_owned()]);
        for (form, key) in [
            ("s3://bkt/a b.jpg", "a b.jpg"),
            ("https://bkt.s3.us-east-1.amazonaws.com/a%20b.jpg", "a b.jpg"),
            ("https://bkt.s3-fips.dualstack.us-east-1.amazonaws.com/kit/a.jpg", SEAT),
            ("https://s3-external-1.amazonaws.com/bkt/kit/a.jpg", SEAT),
            ("https://bkt.s3-accelerate.amazonaws.com/kit/a.jpg", SEAT),
        ] {
            assert!(forms.contains(&(form.to_owned(), key.to_owned())), "{form}");
        }
        let china = s3_forms("bkt", "", &Region::new("cn-north-1").expect("a region"), &["https".to_owned()]);
        assert!(china.iter().all(|(form, _)| form.contains(".amazonaws.com.cn")), "{china:?}");
    }
}
