//! Validated text: what passed `new` is safe to put into a store key, an ARN or a request. Errors are field errors with an
//! empty pointer; a caller adds where (`Error::below`).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// `text_type!(Name, check)`, or `text_type!(Name, check, Arc<str>)` for what many values of one batch share.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => { text_type!($(#[$doc])* $name, $check, String); };
    ($(#[$doc:meta])* $name:ident, $check:path, $kept:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($kept);

        impl $name {
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                match $check(&text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(message) => Err(Error::field("", message)),
                }
            }
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// SPEC C17.
    ConnectionName,
    connection_name
);
text_type!(
    /// An S3 general purpose bucket, by AWS's naming rules.
    BucketName,
    bucket_name,
    Arc<str>
);
text_type!(
    /// The exact bytes of an S3 key. Keys with `.` or `..` segments are refused: some hop would rewrite them.
    ObjectKey,
    object_key
);
text_type!(
    /// A region that AWS has.
    Region,
    region,
    Arc<str>
);
text_type!(AccountId, account_id);
text_type!(
    /// `arn:<partition>:iam::<account>:role/<path/name>`
    RoleArn,
    role_arn
);
text_type!(
    /// Where an object is, as the customer writes it.
    SourcePath,
    source_path
);
text_type!(
    /// Names a dataset of the platform; also a folder of a local sink.
    DatasetId,
    dataset_id
);
text_type!(
    /// Made by the gateway for one connection, 128 bits or more, never changed.
    ExternalId,
    external_id
);

fn connection_name(text: &str) -> Result<(), String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let ends = !text.starts_with('_') && !text.ends_with('_');
    if (3..=255).contains(&text.len()) && text.bytes().all(inner) && ends {
        Ok(())
    } else {
        Err("a name is 3 to 255 lower-case letters, digits and '_', beginning and ending with a letter or digit".to_owned())
    }
}

fn bucket_name(text: &str) -> Result<(), String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let reserved_prefix = ["xn--", "sthree-", "amzn-s3-demo-"].into_iter().find(|prefix| text.starts_with(prefix));
    let reserved_suffix = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].into_iter().find(|suffix| text.ends_with(suffix));
    if !(3..=63).contains(&text.len()) || !text.bytes().all(inner) || !edge(text.bytes().next()) || !edge(text.bytes().next_back()) {
        Err("a bucket name is 3 to 63 lower-case letters, digits, '.' and '-', beginning and ending with a letter or digit".to_owned())
    } else if text.as_bytes().windows(2).any(|pair| pair == b"..") {
        Err("a bucket name has no two dots in a row".to_owned())
    } else if text.parse::<std::net::Ipv4Addr>().is_ok() {
        Err("a bucket name does not look like an IP address".to_owned())
    } else if let Some(reserved) = reserved_prefix.or(reserved_suffix) {
        Err(format!("AWS reserves bucket names with '{reserved}'; access points and directory buckets are not supported"))
    } else {
        Ok(())
    }
}

fn object_key(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 1024 {
        Err("a key is 1 to 1024 bytes of UTF-8".to_owned())
    } else if text.bytes().fold(false, |found, byte| found | (byte == 0)) {
        Err("a key has no NUL".to_owned())
    } else if has_dot_segment(text) {
        Err("a key with a '.' or '..' segment is not supported: proxies and clients rewrite it to another key".to_owned())
    } else {
        Ok(())
    }
}

/// Nearly no key has a segment that begins with a dot. Whether this one does is seen without a way out of the loop: many bytes at a time.
fn has_dot_segment(key: &str) -> bool {
    let bytes = key.as_bytes();
    let begins = bytes.iter().zip(bytes.iter().skip(1)).fold(bytes.first() == Some(&b'.'), |found, (byte, next)| found | ((*byte == b'/') & (*next == b'.')));
    begins && key.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn account_id(text: &str) -> Result<(), String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) { Ok(()) } else { Err("an AWS account id is exactly 12 digits".to_owned()) }
}

fn role_arn(text: &str) -> Result<(), String> {
    let shape = || "a role ARN looks like arn:aws:iam::123456789012:role/Name".to_owned();
    if text.len() > 2048 {
        return Err(shape());
    }
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) = (next(), next(), next(), next(), next(), next());
    if arn != "arn" || service != "iam" || !region.is_empty() {
        return Err(shape());
    }
    if !["aws", "aws-cn", "aws-us-gov", "aws-eusc"].contains(&partition) {
        return Err(format!("'{}' is not an AWS partition", partition.escape_default()));
    }
    account_id(account)?;
    let Some(path_and_name) = resource.strip_prefix("role/") else {
        return Err("the ARN names something else than a role: it must end in role/Name".to_owned());
    };
    let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
    let name_ok = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    let path_ok = path.len() <= 510 && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if name_ok && path_ok { Ok(()) } else { Err("a role's name is 1 to 64 letters, digits and any of +=,.@_-".to_owned()) }
}

impl RoleArn {
    #[must_use]
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }
    #[must_use]
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
    /// `arn:aws:iam::000000000000:role/temporary` and its like: reserves an external id, is never called.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.account() == "000000000000"
    }
}

fn source_path(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 4096 {
        Err("a source path is 1 to 4096 bytes".to_owned())
    } else if text.contains('\0') {
        Err("a source path has no NUL".to_owned())
    } else {
        Ok(())
    }
}

fn dataset_id(text: &str) -> Result<(), String> {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        Ok(())
    } else {
        Err("a dataset id is 1 to 255 letters, digits, '.', '_' and '-', beginning with a letter or digit".to_owned())
    }
}

fn external_id(text: &str) -> Result<(), String> {
    if (22..=1224).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte)) {
        Ok(())
    } else {
        Err("an external id is 22 to 1224 letters, digits and any of _+=,.@:/-".to_owned())
    }
}

/// Region and partition. Source: AWS's published list of regions.
const REGIONS: &[(&str, &str)] = &[
    ("af-south-1", "aws"),
    ("ap-east-1", "aws"),
    ("ap-east-2", "aws"),
    ("ap-northeast-1", "aws"),
    ("ap-northeast-2", "aws"),
    ("ap-northeast-3", "aws"),
    ("ap-south-1", "aws"),
    ("ap-south-2", "aws"),
    ("ap-southeast-1", "aws"),
    ("ap-southeast-2", "aws"),
    ("ap-southeast-3", "aws"),
    ("ap-southeast-4", "aws"),
    ("ap-southeast-5", "aws"),
    ("ap-southeast-6", "aws"),
    ("ap-southeast-7", "aws"),
    ("ca-central-1", "aws"),
    ("ca-west-1", "aws"),
    ("eu-central-1", "aws"),
    ("eu-central-2", "aws"),
    ("eu-north-1", "aws"),
    ("eu-south-1", "aws"),
    ("eu-south-2", "aws"),
    ("eu-west-1", "aws"),
    ("eu-west-2", "aws"),
    ("eu-west-3", "aws"),
    ("il-central-1", "aws"),
    ("me-central-1", "aws"),
    ("me-south-1", "aws"),
    ("mx-central-1", "aws"),
    ("sa-east-1", "aws"),
    ("us-east-1", "aws"),
    ("us-east-2", "aws"),
    ("us-west-1", "aws"),
    ("us-west-2", "aws"),
    ("cn-north-1", "aws-cn"),
    ("cn-northwest-1", "aws-cn"),
    ("us-gov-east-1", "aws-us-gov"),
    ("us-gov-west-1", "aws-us-gov"),
    ("eusc-de-east-1", "aws-eusc"),
];

fn region(text: &str) -> Result<(), String> {
    if REGIONS.iter().any(|(name, _)| *name == text) {
        Ok(())
    } else {
        Err(format!("AWS has no region '{}'", text.chars().take(32).collect::<String>().escape_default()))
    }
}

impl Region {
    #[must_use]
    pub fn partition(&self) -> &'static str {
        REGIONS.iter().find(|(name, _)| *name == self.as_str()).map_or("aws", |(_, partition)| partition)
    }
    /// The domain that the partition's endpoints are under.
    #[must_use]
    pub fn dns_suffix(&self) -> &'static str {
        match self.partition() {
            "aws-cn" => "amazonaws.com.cn",
            "aws-eusc" => "amazonaws.eu",
            _ => "amazonaws.com",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v01_v02_role_arns_are_a_closed_form() {
        let long = "a".repeat(65);
        let cases: &[(&str, bool)] = &[
            ("arn:aws:iam::123456789012:role/", false),
            ("arn:aws:iam::12345678901:role/Gw", false),
            ("arn:aws:iam::1234567890123:role/Gw", false),
            ("arn:aws:iam:us-east-1:123456789012:role/Gw", false),
            ("arn:aws:iam::123456789012:user/x", false),
            ("arn:aws:iam::123456789012:root", false),
            ("arn:aws:sts::123456789012:assumed-role/Gw/s", false),
            ("arn:aws:iam::123456789012:role/G w", false),
            ("arn:aws:iam::123456789012:role/Gw\n", false),
            ("arn:awsx:iam::123456789012:role/Gw", false),
            (&format!("arn:aws:iam::123456789012:role/{long}"), false),
            (&format!("arn:aws:iam::123456789012:role/{}", "p/".repeat(1100)), false),
            ("arn:aws:iam::123456789012:role/Gw", true),
            ("arn:aws:iam::123456789012:role/path/to/Gw", true),
            ("arn:aws-cn:iam::123456789012:role/Gw", true),
            ("arn:aws-us-gov:iam::123456789012:role/Gw", true),
            ("arn:aws-eusc:iam::123456789012:role/Gw", true),
            (&format!("arn:aws:iam::123456789012:role/+=,.@_-{}", "a".repeat(57)), true),
        ];
        for (text, valid) in cases {
            assert_eq!(RoleArn::new(*text).is_ok(), *valid, "{text}");
        }
    }

    #[test]
    fn v08_bucket_names_follow_awss_rules() {
        let (longest, longer) = ("b".repeat(63), "b".repeat(64));
        for text in [
            "ab",
            &longer,
            "A",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            "a..b",
            "192.168.5.4",
            "xn--a",
            "sthree-a",
            "amzn-s3-demo-a",
            "a-s3alias",
            "a--ol-s3",
            "a.mrap",
            "a--x-s3",
            "a--table-s3",
            "",
        ] {
            assert!(BucketName::new(text).is_err(), "{text}");
        }
        for text in ["abc", &longest, "a.b-c"] {
            assert!(BucketName::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn s11_s12_s18_keys_are_kept_exact_or_refused() {
        for text in ["", ".", "..", "a/./b", "a/../b", "../other-bucket/secret", "a\0b", &"k".repeat(1025), &"🧪".repeat(300)] {
            assert!(ObjectKey::new(text).is_err(), "{text:?}");
        }
        for text in ["a//b", "/a", "a/", "//", &"/".repeat(1000), "a%2Fb", "100%.txt", "...", "a/.b", "日本語/🧪.png", &"k".repeat(1024)] {
            assert_eq!(ObjectKey::new(text).expect("a valid key").as_str(), text);
        }
    }

    #[test]
    fn c17_v11_connection_names() {
        let (longest, longer) = ("n".repeat(255), "n".repeat(256));
        for text in ["", "ab", &longer, "a b c", "Abc", "_abc", "abc_", "\u{1b}[31m", "<script>", "../../x", "a-b-c"] {
            assert!(ConnectionName::new(text).is_err(), "{text:?}");
        }
        for text in ["abc", "a_c", "0_0", &longest] {
            assert!(ConnectionName::new(text).is_ok(), "{text}");
        }
    }

    /// Plugins share only the contract with the host, so the SDK has AWS's rules, too: for clear answers before the host is asked.
    #[test]
    fn the_sdk_says_the_same_of_regions() {
        for (name, partition) in REGIONS.iter().chain(&[("moon-1", "aws"), ("us-east-9", "aws"), ("", "aws"), ("US-EAST-1", "aws")]) {
            let known = Region::new(*name).is_ok();
            assert_eq!(portcullis_plugin::aws::partition_of(name), known.then_some(*partition), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_sdk_says_the_same_of_buckets(name in "(xn--|sthree-)?[a-zA-Z0-9._-]{0,66}(-s3alias|--ol-s3|--x-s3)?") {
            proptest::prop_assert_eq!(BucketName::new(name.as_str()).is_ok(), portcullis_plugin::s3::check_bucket_name(&name).is_ok());
        }

        #[test]
        fn the_sdk_says_the_same_of_role_arns(
            arn in "(arn|x):aws(-cn|-us-gov|-eusc|-x)?:iam:(us-east-1)?:[0-9]{11,13}:(role|user)/([a-z/ ]{1,9}/)?[a-z+=,.@_ -]{0,66}"
        ) {
            proptest::prop_assert_eq!(RoleArn::new(arn.as_str()).is_ok(), portcullis_plugin::aws::RoleArn::parse(&arn).is_ok());
        }
    }
}
