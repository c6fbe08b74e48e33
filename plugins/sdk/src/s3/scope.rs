//! What of S3 a connection may read: a bucket and what is below a prefix in it. The gateway judges the same again, by the egress.

use crate::{Error, ErrorKind, S3Object};

/// `None`: every bucket that lets the gateway in; every key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    pub bucket: Option<&'a str>,
    /// Compared byte by byte; as [`whole_prefix`] makes it.
    pub prefix: Option<&'a str>,
}

impl Scope<'_> {
    /// `Denied` (`scope_violation`) for an object outside of it (SECURITY S19).
    pub fn admit(&self, object: &S3Object) -> Result<(), Error> {
        let outside = |message: String| Err(Error::new(ErrorKind::Denied, "scope_violation", message));
        if self.bucket.is_some_and(|bucket| bucket != object.bucket) {
            return outside("the source path is in another bucket than the connection's".to_owned());
        }
        match self.prefix {
            Some(prefix) if !object.key.starts_with(prefix) => outside(format!("the source path is not below the connection's prefix '{prefix}'")),
            _ => Ok(()),
        }
    }
}

/// A prefix as a customer gives it, with the '/' at its end that keeps `train` from opening `training/`. An error is a sentence for a field.
///
/// ASCII that can be seen, since IAM takes no more: a prefix that no policy can name could not be held to.
pub fn whole_prefix(text: &str) -> Result<String, &'static str> {
    let prefix = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    if text.is_empty() || prefix.len() > 512 || !prefix.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        Err("a prefix is 1 to 512 visible ASCII characters, because AWS's policies name no others: take the folder above")
    } else if prefix.split('/').any(|segment| segment == "." || segment == "..") {
        Err("a prefix has no '.' or '..' segment")
    } else {
        Ok(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s19_a_scope_is_a_bucket_and_whole_folders() {
        let scope = Scope { bucket: Some("bkt"), prefix: Some("train/") };
        let object = |bucket: &str, key: &str| S3Object { bucket: bucket.to_owned(), key: key.to_owned(), region: None, version_id: None };
        for (bucket, key) in [("bkt", "train"), ("bkt", "training/x"), ("bkt", "TRAIN/x"), ("bkt", "/train/x"), ("other", "train/x"), ("bkt", "")] {
            assert_eq!(scope.admit(&object(bucket, key)).expect_err(key).code, "scope_violation", "{bucket}/{key}");
        }
        for key in ["train//x", "train/x", "train/", "train/日本語"] {
            assert_eq!(scope.admit(&object("bkt", key)), Ok(()), "{key}");
        }
        assert_eq!(Scope::default().admit(&object("any", "key")), Ok(()));
    }

    #[test]
    fn s19_a_prefix_ends_with_its_slash_and_is_one_that_a_policy_can_name() {
        for (text, prefix) in [("train", "train/"), ("train/", "train/"), ("/", "/"), ("/a//b", "/a//b/"), ("a*?${b}'\"\\ ", "a*?${b}'\"\\ /")] {
            assert_eq!(whole_prefix(text).as_deref(), Ok(prefix));
            assert_eq!(whole_prefix(prefix).as_deref(), Ok(prefix), "once is enough");
        }
        for text in ["", "日本語/", "a\nb", "a\0", "..", "a/../b", "./", &"p".repeat(512)] {
            assert!(whole_prefix(text).is_err(), "{text:?}");
        }
    }
}
