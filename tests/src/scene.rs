//! The accounts that most tests play in: the platform's, a customer's, and one that has no business here.

use serde_json::{Value, json};

use crate::aws::Fixture;

pub const PLATFORM: &str = "111122223333";
pub const CUSTOMER: &str = "444455556666";
pub const GATEWAY_USER: &str = "portcullis";
pub const GATEWAY_ROLE: &str = "arn:aws:iam::111122223333:role/portcullis";
pub const READER_ROLE: &str = "arn:aws:iam::444455556666:role/media/reader";
/// The customer's, by the convention of `aws_account_role` for the region that `MEDIA` is in.
pub const AGREED_ROLE: &str = "PortcullisReader-eu-west-1";
pub const EXTERNAL_ID: &str = "correct-horse-battery-staple";
/// The customer's, read through the role; in another region than the gateway.
pub const MEDIA: &str = "customer-media";
/// The customer's, read through its bucket policy, by the organization `acme` only.
pub const SHARED: &str = "customer-shared";
/// Like `SHARED`, in the platform's own account: the referee knows no conditions over accounts.
pub const NEAR: &str = "platform-shared";
pub const MEDIA_REGION: &str = "eu-west-1";

#[must_use]
pub fn statements(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Who may assume the customer's role; `None`: without an external id.
#[must_use]
pub fn trust(external_id: Option<&str>) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": GATEWAY_ROLE}, "Action": "sts:AssumeRole"});
    if let Some(id) = external_id {
        statement["Condition"] = json!({"StringEquals": {"sts:ExternalId": id}});
    }
    statements(json!([statement]))
}

/// A bucket that one organization of the platform may read.
#[must_use]
pub fn shared_with(bucket: &str, organization: &str) -> Value {
    let condition = json!({"StringEquals": {"aws:PrincipalTag/organization": organization}});
    statements(json!([
        {"Sid": "List", "Effect": "Allow", "Principal": {"AWS": GATEWAY_ROLE}, "Action": "s3:ListBucket", "Resource": format!("arn:aws:s3:::{bucket}"), "Condition": condition},
        {"Sid": "Get", "Effect": "Allow", "Principal": {"AWS": GATEWAY_ROLE}, "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*"), "Condition": condition},
    ]))
}

/// Objects whose keys a careless parser loses: all of them are in `MEDIA` below `odd/`.
pub const ODD_KEYS: [&str; 14] = [
    "/leading.txt",
    "odd/a..b",
    "odd/a b.jpg",
    "odd/a+b.jpg",
    "odd/100%.txt",
    "odd/a%2Fb",
    "odd/a#b",
    "odd/a?b",
    "odd/a&b=c;d",
    "odd/日本語/🧪.png",
    "odd/a//b",
    "odd/trailing/",
    "odd/'quoted' \"x\"",
    "odd/<x>(y)[z]",
];

#[must_use]
pub fn fixture() -> Fixture {
    let assume = json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"});
    let read = json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"], "Resource": ["arn:aws:s3:::customer-*"]});
    let own = json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{PLATFORM}:user/{GATEWAY_USER}")}, "Action": ["sts:AssumeRole", "sts:TagSession"]});
    let media = json!([
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": format!("arn:aws:s3:::{MEDIA}")},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{MEDIA}/*")},
    ]);
    let mut objects: Vec<(&str, &[u8])> = vec![
        ("train/a.jpg", b"jpeg a"),
        ("train/b.jpg", b"jpeg b"),
        ("train/deep/c.jpg", b"jpeg c"),
        ("private/x.txt", b"private"),
        ("top.txt", b"0123456789"),
    ];
    objects.extend(ODD_KEYS.iter().map(|key| (*key, key.as_bytes())));
    let shared: [(&str, &[u8]); 2] = [("a.txt", b"shared a"), ("b.txt", b"shared b")];
    Fixture::new()
        .account(PLATFORM, |account| {
            account
                .user(GATEWAY_USER, Some(statements(json!([assume]))))
                .role("portcullis", statements(json!([own])), Some(statements(json!([assume, read]))))
                .bucket(NEAR, "us-east-1", Some(shared_with(NEAR, "acme")), &shared)
        })
        .account(CUSTOMER, |account| {
            account
                .role("media/reader", trust(Some(EXTERNAL_ID)), Some(statements(media.clone())))
                .role(AGREED_ROLE, trust(Some(EXTERNAL_ID)), Some(statements(media)))
                .bucket(MEDIA, MEDIA_REGION, None, &objects)
                .bucket(SHARED, "us-east-1", Some(shared_with(SHARED, "acme")), &shared)
        })
}
