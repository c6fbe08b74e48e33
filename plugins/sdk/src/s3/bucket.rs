//! Names of general purpose buckets, by AWS's rules. What looks like a bucket and is none is told apart.

use crate::Error;

/// An error is a sentence for a field.
pub fn check_name(name: &str) -> Result<(), String> {
    check(name).map_err(|error| error.message)
}

pub(super) fn check(name: &str) -> Result<(), Error> {
    let invalid = |message: &str| Err(Error::invalid("invalid_bucket", message));
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    // Without a way out of the loop: many bytes at a time.
    let inner = |name: &str| name.bytes().fold(true, |all, byte| all & (byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'.') | (byte == b'-')));
    // Most names have a letter, and need no parser of addresses.
    let address = || name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && name.parse::<std::net::Ipv4Addr>().is_ok();
    if name.starts_with("arn:") || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix)) {
        Err(Error::invalid("unsupported_s3_form", "access points, directory buckets and table buckets are not supported")
            .with_remedy("Use the name of the general purpose bucket that holds the object."))
    } else if !(3..=63).contains(&name.len()) || !inner(name) || !edge(name.bytes().next()) || !edge(name.bytes().next_back()) {
        invalid("a bucket name is 3 to 63 lower-case letters, digits, '.' and '-', beginning and ending with a letter or digit")
    } else if name.as_bytes().windows(2).any(|pair| pair == b"..") {
        invalid("a bucket name has no two dots in a row")
    } else if address() {
        invalid("a bucket name does not look like an IP address")
    } else if ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix)) {
        invalid("AWS reserves bucket names that begin with xn--, sthree- or amzn-s3-demo-")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v08_bucket_names_follow_awss_rules() {
        let (longest, longer) = ("b".repeat(63), "b".repeat(64));
        for name in [
            "",
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
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["abc", &longest, "a.b-c"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }
}
