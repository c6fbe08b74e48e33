//! Regions, partitions and role ARNs. The host has its own; this is for clear answers before it is asked.

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

/// `None` for what is no region of AWS.
#[must_use]
pub fn partition_of(region: &str) -> Option<&'static str> {
    REGIONS.iter().find(|(name, _)| *name == region).map(|(_, partition)| *partition)
}

/// The domain that a partition's endpoints are under.
pub(crate) fn dns_suffix(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// `xx-word-9`: tells a region that AWS does not have from a label that is none.
pub(crate) fn looks_like_region(label: &str) -> bool {
    let words: Vec<&str> = label.split('-').collect();
    match words.as_slice() {
        [area, middle @ .., number] => {
            let letters = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            !middle.is_empty() && letters(area) && middle.iter().all(letters) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// The parts of `arn:<partition>:iam::<account>:role/<path/name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleArn<'a> {
    pub partition: &'a str,
    /// 12 digits.
    pub account: &'a str,
    /// What is before the name, without the slashes around it: `media` of `role/media/reader`. Empty for most.
    pub path: &'a str,
    /// Without its path.
    pub name: &'a str,
}

impl<'a> RoleArn<'a> {
    /// The error is a sentence for a field.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        const SHAPE: &str = "a role ARN looks like arn:aws:iam::123456789012:role/Name";
        let rest = text.strip_prefix("arn:").ok_or(SHAPE)?;
        let (partition, rest) = rest.split_once(':').ok_or(SHAPE)?;
        let (account, resource) = rest.strip_prefix("iam::").and_then(|rest| rest.split_once(':')).ok_or(SHAPE)?;
        if !["aws", "aws-cn", "aws-us-gov", "aws-eusc"].contains(&partition) {
            return Err("the ARN's partition is none of aws, aws-cn, aws-us-gov, aws-eusc");
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("the ARN's account id is not exactly 12 digits");
        }
        let path_and_name = resource.strip_prefix("role/").ok_or("the ARN names something else than a role: it ends in role/Name")?;
        let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
        let name_fits = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
        if !name_fits || path.len() > 510 || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a role's name is 1 to 64 letters, digits and any of +=,.@_-");
        }
        Ok(Self { partition, account, path, name })
    }

    /// Account 000000000000 reserves an external id before the role exists; such a role is never called.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.account == "000000000000"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v01_v02_role_arns_are_a_closed_form() {
        let (long, path) = (format!("arn:aws:iam::123456789012:role/{}", "a".repeat(65)), format!("arn:aws:iam::123456789012:role/{}x", "p/".repeat(1100)));
        for text in [
            "",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::12345678901:role/Gw",
            "arn:aws:iam::1234567890123:role/Gw",
            "arn:aws:iam:us-east-1:123456789012:role/Gw",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:root",
            "arn:aws:sts::123456789012:assumed-role/Gw/s",
            "arn:aws:iam::123456789012:role/G w",
            "arn:aws:iam::123456789012:role/Gw\n",
            "arn:awsx:iam::123456789012:role/Gw",
            &long,
            &path,
        ] {
            assert!(RoleArn::parse(text).is_err(), "{text:?}");
        }
        for (text, partition, path, name) in [
            ("arn:aws:iam::123456789012:role/Gw", "aws", "", "Gw"),
            ("arn:aws:iam::123456789012:role/path/to/Gw", "aws", "path/to", "Gw"),
            ("arn:aws-cn:iam::123456789012:role/+=,.@_-", "aws-cn", "", "+=,.@_-"),
            ("arn:aws-us-gov:iam::123456789012:role/Gw", "aws-us-gov", "", "Gw"),
            ("arn:aws-eusc:iam::123456789012:role/Gw", "aws-eusc", "", "Gw"),
        ] {
            assert_eq!(RoleArn::parse(text), Ok(RoleArn { partition, account: "123456789012", path, name }), "{text}");
        }
    }

    #[test]
    fn v03_the_placeholder_is_known_by_its_account() {
        assert!(RoleArn::parse("arn:aws:iam::000000000000:role/temporary").expect("well formed").is_placeholder());
    }
}
