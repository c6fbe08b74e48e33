//! Every public form of an address, written for any object and read back: one parser, one object.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

/// How an address can be written; and whether its host can name a bucket with dots, whether it says the region.
#[derive(Clone, Copy, Debug)]
enum Form {
    Uri,
    Virtual,
    Path,
    Dualstack,
    DualstackPath,
    Fips,
    FipsDualstack,
    /// `s3-us-west-2`, of before 2019.
    Dash,
    DashPath,
    Global,
    GlobalPath,
    Accelerate,
    AccelerateDualstack,
    External,
}

const FORMS: [Form; 14] = [
    Form::Uri,
    Form::Virtual,
    Form::Path,
    Form::Dualstack,
    Form::DualstackPath,
    Form::Fips,
    Form::FipsDualstack,
    Form::Dash,
    Form::DashPath,
    Form::Global,
    Form::GlobalPath,
    Form::Accelerate,
    Form::AccelerateDualstack,
    Form::External,
];

const PLACES: [(&str, &str); 6] = [
    ("us-east-1", "amazonaws.com"),
    ("eu-central-1", "amazonaws.com"),
    ("us-gov-west-1", "amazonaws.com"),
    ("cn-north-1", "amazonaws.com.cn"),
    ("cn-northwest-1", "amazonaws.com.cn"),
    ("eusc-de-east-1", "amazonaws.eu"),
];

/// The address, and the region that it tells.
fn write(form: Form, bucket: &str, path: &str, (region, domain): (&str, &str)) -> (String, Option<String>) {
    // The old names are of the first partition only.
    let (old, com) = if domain == "amazonaws.com" { (region, domain) } else { ("us-west-2", "amazonaws.com") };
    let (host, in_path, told) = match form {
        Form::Uri => return (format!("s3://{bucket}/{path}"), None),
        Form::Virtual => (format!("{bucket}.s3.{region}.{domain}"), false, Some(region)),
        Form::Path => (format!("s3.{region}.{domain}"), true, Some(region)),
        Form::Dualstack => (format!("{bucket}.s3.dualstack.{region}.{domain}"), false, Some(region)),
        Form::DualstackPath => (format!("s3.dualstack.{region}.{domain}"), true, Some(region)),
        Form::Fips => (format!("{bucket}.s3-fips.{region}.{domain}"), false, Some(region)),
        Form::FipsDualstack => (format!("{bucket}.s3-fips.dualstack.{region}.{domain}"), false, Some(region)),
        Form::Dash => (format!("{bucket}.s3-{old}.{com}"), false, Some(old)),
        Form::DashPath => (format!("s3-{old}.{com}"), true, Some(old)),
        Form::Global => (format!("{bucket}.s3.amazonaws.com"), false, None),
        Form::GlobalPath => ("s3.amazonaws.com".to_owned(), true, None),
        Form::Accelerate => (format!("{bucket}.s3-accelerate.amazonaws.com"), false, None),
        Form::AccelerateDualstack => (format!("{bucket}.s3-accelerate.dualstack.amazonaws.com"), false, None),
        Form::External => ("s3-external-1.amazonaws.com".to_owned(), true, Some("us-east-1")),
    };
    let bucket = if in_path { format!("{bucket}/") } else { String::new() };
    (format!("https://{host}/{bucket}{path}"), told.map(str::to_owned))
}

/// As tools encode: everything, or what must be.
const LITTLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'\\').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');

fn any_bucket() -> impl Strategy<Value = String> {
    let fits = |name: &String| check_bucket_name(name).is_ok();
    prop_oneof![
        "[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        "[a-z0-9]{2,8}(\\.[a-z0-9]{1,8}){1,4}",
        "(us-west-2|s3|dualstack|s3-fips|cn)(\\.[a-z0-9-]{3,8})?[a-z0-9]{1,2}"
    ]
    .prop_filter("AWS's rules", fits)
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\x00]{1,200}", "[ -~]{1,200}", "[/.%+?#a ]{1,40}"]
        .prop_filter("dot segments are refused", |key| key.len() <= 1024 && !key.split('/').any(|segment| segment == "." || segment == ".."))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn s01_s02_s03_s16_every_form_of_every_address_is_the_same_object(bucket in any_bucket(), key in any_key(), place in 0..PLACES.len()) {
        for form in FORMS {
            let paths = match form {
                Form::Uri => vec![key.clone()],
                _ => [NON_ALPHANUMERIC, LITTLE].map(|set| utf8_percent_encode(&key, set).to_string()).into(),
            };
            for path in paths {
                let (address, region) = write(form, &bucket, &path, PLACES[place]);
                let expected = S3Object { bucket: bucket.clone(), key: key.clone(), region, version_id: None };
                prop_assert_eq!(parse(&address).map_err(|error| error.message), Ok(expected), "{:?} {}", form, address);
            }
        }
        // What it becomes, written in the one form that keeps every byte, is read as itself.
        let canonical = format!("s3://{bucket}/{key}");
        let object = parse(&canonical).map_err(|error| error.message);
        prop_assert_eq!(object.map(|object| format!("s3://{}/{}", object.bucket, object.key)), Ok(canonical));
    }

    #[test]
    fn s04_no_text_makes_the_parser_panic_and_what_it_takes_is_sound(text in ".{0,120}", scheme in "(s3|https|S3|HTTPS|http|arn|ftp)?(:|://|:/|///)?", tail in "[ -~]{0,80}(\\.amazonaws\\.com(\\.cn)?)?[/?#@:.%\\\\a-z0-9-]{0,40}") {
        for source in [text.clone(), format!("{scheme}{text}"), format!("{scheme}{tail}"), format!("{scheme}{tail}{text}")] {
            if let Ok(object) = parse(&source) {
                prop_assert!(check_bucket_name(&object.bucket).is_ok(), "{}", source);
                prop_assert!(!object.key.is_empty() && object.key.len() <= 1024 && !object.key.contains('\0'), "{}", source);
                prop_assert!(object.region.as_deref().is_none_or(|region| crate::aws::partition_of(region).is_some()), "{}", source);
            }
        }
    }
}
