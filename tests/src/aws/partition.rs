//! AWS's partitions: worlds of their own. Nobody's keys, roles or buckets are known in another one.

pub const FIRST: &str = "aws";
const OTHERS: [(&str, &str); 3] = [("aws-cn", "cn-"), ("aws-us-gov", "us-gov-"), ("aws-eusc", "eusc-")];

/// `None`: AWS has no such partition.
#[must_use]
pub fn named(name: &str) -> Option<&'static str> {
    OTHERS.iter().map(|(partition, _)| *partition).chain([FIRST]).find(|partition| *partition == name)
}

/// The one that a region is in.
#[must_use]
pub fn of_region(region: &str) -> &'static str {
    OTHERS.iter().find(|(_, prefix)| region.starts_with(prefix)).map_or(FIRST, |(partition, _)| *partition)
}

/// The domain that its endpoints are under.
#[must_use]
pub fn domain(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}
