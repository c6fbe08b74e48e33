//! Faults of AWS: one gateway, a role and a bucket for each cause, so that they run side by side.

use futures_util::{StreamExt, stream};
use portcullis_tests::aws::{Fault, Fixture, Service};
use portcullis_tests::gateway::Given;
use portcullis_tests::scene::{CUSTOMER, GATEWAY_ROLE, GATEWAY_USER, MEDIA_REGION, PLATFORM, statements, trust};
use portcullis_tests::stack::AwsStack;
use serde_json::{Value, json};

use super::{Found, Outcome};
use crate::play::{Play, play};

const AT_ONCE: usize = 12;
const SOMEBODY: &str = "777788889999";
const KEY: &str = "a.jpg";
/// Every check of a connection that works, in order.
const ALL: [&str; 12] =
    ["settings", "sts_region", "assume_role", "external_id", "caller_identity", "bucket_region", "list", "head", "read", "kms", "clock", "sign"];

type BucketPolicy = fn(&str, &str) -> Value;

/// One cause, and how it comes about. In words: `{role}`, `{bucket}`, `{object}`, `{org}` are the row's own.
#[derive(Default)]
struct Row {
    cause: &'static str,
    check: &'static str,
    code: &'static str,
    also: &'static [(&'static str, &'static str)],
    faults: Vec<(Service, &'static [&'static str], Fault)>,
    /// What the role may, instead of everything that it needs.
    role_policy: Option<fn(&str) -> Value>,
    /// Who owns the bucket, and its policy, given the bucket and the role's ARN.
    bucket_policy: Option<(&'static str, BucketPolicy)>,
    trust_without_id: bool,
    config: Value,
    key: Option<&'static str>,
    /// Tested with this location.
    location: Option<&'static str>,
    /// In an organization of its own, whose session of the gateway's own role is to fail.
    own_org: bool,
}

fn row(cause: &'static str, check: &'static str, code: &'static str) -> Row {
    Row { cause, check, code, ..Row::default() }
}

impl Row {
    fn with(self, change: impl FnOnce(&mut Self)) -> Self {
        let mut row = self;
        change(&mut row);
        row
    }
    fn sts(self, words: &'static [&'static str], fault: Fault) -> Self {
        self.with(|row| row.faults.push((Service::Sts, words, fault)))
    }
    fn s3(self, words: &'static [&'static str], fault: Fault) -> Self {
        self.with(|row| row.faults.push((Service::S3, words, fault)))
    }
    /// The gateway's own role, for the row's organization.
    fn own(self, fault: Fault) -> Self {
        self.with(|row| row.own_org = true).sts(OWN, fault)
    }
}

const ROLE: &[&str] = &["{role}"];
const OWN: &[&str] = &["Tags.member.1.Value={org}"];
const LIST: &[&str] = &["GET", "/{bucket}", "list-type=2"];
const GET: &[&str] = &["GET", "/{bucket}/{object}"];
const OBJECT: &[&str] = &["/{bucket}/{object}"];

fn allow(actions: &[&str], resource: String) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

fn list_and_get(bucket: &str) -> Value {
    statements(json!([allow(&["s3:ListBucket"], format!("arn:aws:s3:::{bucket}")), allow(&["s3:GetObject"], format!("arn:aws:s3:::{bucket}/*"))]))
}

fn to(role: &str, effect: &str, action: &str, resource: String) -> Value {
    statements(json!([{"Effect": effect, "Principal": {"AWS": role}, "Action": action, "Resource": resource}]))
}

/// AWS's sentence about a denial.
macro_rules! denied {
    ($action:literal, $why:literal) => {
        Fault::Says(
            403,
            "AccessDenied",
            concat!(
                "User: arn:aws:sts::444455556666:assumed-role/diag/portcullis is not authorized to perform: ",
                $action,
                " on resource: \"arn:aws:x\" ",
                $why
            ),
        )
    };
}

/// Codes and sentences: STS and S3 API references ("Common errors", "Error responses"); of denials: IAM User Guide, "Troubleshoot access denied error messages".
fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("the role is a placeholder that reserves the external id", "role", "role_is_placeholder").with(|row| row.config = json!({"iam_role_arn": "arn:aws:iam::000000000000:role/temporary"})),
        row("the test location is in another bucket", "settings", "scope_violation").with(|row| row.location = Some("s3://some-other-bucket/a.jpg")),
        row("the test location is in another partition of AWS than the role", "settings", "partition_mismatch")
            .with(|row| row.location = Some("https://{bucket}.s3.cn-north-1.amazonaws.com.cn/a.jpg")),
        row("the role is in another partition of AWS than the gateway", "assume_role", "role_in_another_partition")
            .with(|row| row.config = json!({"iam_role_arn": "arn:aws-cn:iam::444455556666:role/reader"})),
        row("the role is not there, or does not trust the gateway with this external id", "assume_role", "role_cannot_be_assumed")
            .with(|row| row.config = json!({"iam_role_arn": "arn:aws:iam::444455556666:role/nobody"})),
        row("the role can be assumed without the external id, or with another one", "external_id", "external_id_configured_insecurely").with(|row| row.trust_without_id = true),
        row("whether the role wants the external id cannot be told: STS throttles", "external_id", "external_id_unverified").sts(&["{role}", "gw-extid-probe"], Fault::Throttle),
        row("the gateway's own role may not assume the role", "assume_role", "gateway_may_not_assume_roles")
            .sts(ROLE, denied!("sts:AssumeRole", "because no identity-based policy allows the sts:AssumeRole action")),
        row("STS is not active for the account in the region", "sts_region", "sts_region_disabled").sts(
            ROLE,
            Fault::Says(
                403,
                "RegionDisabledException",
                "STS is not activated in this region for account:444455556666. Your account administrator can activate STS in this region using the IAM Console.",
            ),
        ),
        row("STS throttles", "assume_role", "sts_throttled").sts(ROLE, Fault::Throttle),
        row("STS fails", "assume_role", "sts_unavailable").sts(ROLE, Fault::InternalError),
        row("something that is not STS answers in its place", "assume_role", "sts_bad_answer").sts(ROLE, Fault::Garbage),
        row("the session policy is larger than AWS packs", "assume_role", "scope_too_large")
            .sts(ROLE, Fault::Says(400, "PackedPolicyTooLarge", "Packed policy consumes 120% of allotted space, please use smaller policy.")),
        row("the role's sessions may not last as long", "assume_role", "session_too_long")
            .sts(ROLE, Fault::Says(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")),
        row("AWS does not accept the role's ARN", "assume_role", "role_arn_not_accepted").sts(ROLE, Fault::Says(400, "ValidationError", "arn:aws:iam::444455556666:role/x is invalid")),
        row("STS refuses for another reason", "assume_role", "sts_request_refused").sts(ROLE, Fault::Says(400, "IDPCommunicationError", "Not to be reached")),
        row("the gateway's credentials may not assume the gateway's own role", "assume_role", "gateway_role_cannot_be_assumed").own(Fault::Says(
            403,
            "AccessDenied",
            "User: arn:aws:iam::111122223333:user/portcullis is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/portcullis",
        )),
        row("the gateway's credentials may not tag its sessions", "assume_role", "gateway_tag_session_denied").own(Fault::Says(
            403,
            "AccessDenied",
            "User: arn:aws:iam::111122223333:user/portcullis is not authorized to perform: sts:TagSession on resource: arn:aws:iam::111122223333:role/portcullis",
        )),
        row("the gateway's own credentials have expired", "assume_role", "gateway_credentials_expired").own(Fault::ExpiredToken),
        row("AWS does not know the gateway's own credentials", "assume_role", "gateway_credentials_unknown")
            .own(Fault::Says(403, "InvalidClientTokenId", "The security token included in the request is invalid.")),
        row("the gateway's secret key does not belong to its access key", "assume_role", "gateway_secret_key_wrong").own(Fault::Says(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
        )),
        row("there is no such bucket", "bucket_region", "bucket_not_found").with(|row| row.config = json!({"bucket_name": "diag-nowhere"})),
        row("something that is not S3 answers in its place", "bucket_region", "s3_bad_answer").s3(&["/{bucket}"], Fault::Garbage),
        row("the bucket, in another account, does not let the role list it", "list", "list_denied").with(|row| {
            row.bucket_policy = Some((SOMEBODY, |bucket, role| to(role, "Allow", "s3:GetObject", format!("arn:aws:s3:::{bucket}/*"))));
        }),
        row("S3 keeps naming another region for the bucket", "list", "bucket_region_unsettled").s3(LIST, Fault::WrongRegion),
        row("S3 throttles", "list", "s3_throttled").s3(LIST, Fault::Throttle),
        row("the gateway's clock is off", "clock", "clock_skew").s3(LIST, Fault::Skewed(1200)),
        row("AWS does not accept the gateway's signature", "sign", "signature_rejected").s3(
            LIST,
            Fault::Says(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."),
        ),
        row("the bucket, in another account, does not let the role read its objects", "head", "read_denied").with(|row| {
            row.bucket_policy = Some((SOMEBODY, |bucket, role| to(role, "Allow", "s3:ListBucket", format!("arn:aws:s3:::{bucket}"))));
        }),
        row("no policy of the role allows reading", "head", "identity_policy_does_not_allow")
            .with(|row| row.role_policy = Some(|bucket| statements(json!([allow(&["s3:ListBucket"], format!("arn:aws:s3:::{bucket}"))])))),
        row("a policy of the role denies reading", "head", "denied_by_identity_policy").with(|row| {
            row.role_policy = Some(|bucket| {
                let mut policy = list_and_get(bucket);
                policy["Statement"].as_array_mut().unwrap().push(json!({"Effect": "Deny", "Action": "s3:GetObject*", "Resource": "*"}));
                policy
            });
        }),
        row("the bucket's policy denies reading", "head", "denied_by_bucket_policy").with(|row| {
            row.bucket_policy = Some((CUSTOMER, |bucket, role| to(role, "Deny", "s3:GetObject", format!("arn:aws:s3:::{bucket}/*"))));
        }),
        row("the object is not there, and the role may not list", "head", "missing_and_not_listable").with(|row| {
            row.key = Some("nothing.jpg");
            row.also = &[("list", "identity_policy_does_not_allow")];
            row.role_policy = Some(|bucket| statements(json!([allow(&["s3:GetObject"], format!("arn:aws:s3:::{bucket}/*"))])));
        }),
        row("the object is not there", "head", "file_not_found").with(|row| row.key = Some("nothing.jpg")),
        row("the object was deleted; a delete marker is left", "head", "object_deleted").s3(OBJECT, Fault::Deleted),
        row("the object is encrypted with a key that its owner keeps (SSE-C)", "head", "customer_key_wanted").s3(
            OBJECT,
            Fault::Says(
                400,
                "InvalidRequest",
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
            ),
        ),
        row("the bucket's policy does not allow reading", "head", "bucket_policy_does_not_allow")
            .s3(OBJECT, denied!("s3:GetObject", "because no resource-based policy allows the s3:GetObject action")),
        row("a service control policy denies reading", "head", "denied_by_service_control_policy").s3(OBJECT, denied!("s3:GetObject", "with an explicit deny in a service control policy")),
        row("a resource control policy denies reading", "head", "denied_by_resource_control_policy").s3(OBJECT, denied!("s3:GetObject", "with an explicit deny in a resource control policy")),
        row("the role's permissions boundary does not allow reading", "head", "denied_by_permissions_boundary")
            .s3(OBJECT, denied!("s3:GetObject", "because no permissions boundary allows the s3:GetObject action")),
        row("the gateway's session policy does not allow reading", "head", "denied_by_session_policy")
            .s3(OBJECT, denied!("s3:GetObject", "because no session policy allows the s3:GetObject action")),
        row("the gateway's VPC endpoint does not let it read", "head", "denied_by_vpc_endpoint_policy")
            .s3(OBJECT, denied!("s3:GetObject", "because no VPC endpoint policy allows the s3:GetObject action")),
        row("the bucket's policy is public, and blocked", "head", "blocked_by_block_public_access")
            .s3(OBJECT, denied!("s3:GetObject", "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access (BlockPublicAccess)")),
        row("AWS has disabled the bucket", "head", "all_access_disabled").s3(OBJECT, Fault::Says(403, "AllAccessDisabled", "All access to this object has been disabled")),
        row("there is a problem with the bucket owner's AWS account", "head", "account_problem")
            .s3(OBJECT, Fault::Says(403, "AccountProblem", "There is a problem with your AWS account that prevents the operation from completing successfully.")),
        row("a proxy refuses HEAD, and lets the object be read", "head", "head_denied").s3(&["HEAD", "/{bucket}/{object}"], Fault::Says(403, "AccessDenied", "Access Denied")),
        row("the object is archived", "read", "object_archived").s3(GET, Fault::Says(403, "InvalidObjectState", "The operation is not valid for the object's storage class")),
        row("a session expires at once, again and again", "read", "session_expired").s3(GET, Fault::ExpiredToken),
        row("AWS does not accept the session's token", "read", "session_token_not_accepted")
            .s3(GET, Fault::Says(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")),
        row("AWS does not know the session's key", "read", "session_key_unknown")
            .s3(GET, Fault::Says(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")),
        row("S3 fails", "read", "s3_internal_error").s3(GET, Fault::InternalError),
        row("S3 cannot answer now", "read", "s3_unavailable").s3(GET, Fault::Says(503, "ServiceUnavailable", "Service is unable to handle request.")),
        row("a page comes in place of the object", "read", "not_an_object").s3(GET, Fault::Garbage),
        row("the answer breaks off", "read", "truncated").s3(GET, Fault::TruncatedBody),
        row("the role may not use the object's KMS key", "kms", "kms_decrypt_denied")
            .s3(GET, denied!("kms:Decrypt", "because no identity-based policy allows the kms:Decrypt action")),
        row("the KMS key's policy does not let the role use it", "kms", "kms_key_policy_denies")
            .s3(GET, denied!("kms:Decrypt", "because no resource-based policy allows the kms:Decrypt action")),
        row("the KMS key is in another account or region", "kms", "kms_key_not_accessible").s3(
            GET,
            Fault::Says(
                403,
                "AccessDenied",
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
            ),
        ),
        row("the KMS key is disabled", "kms", "kms_key_disabled").s3(GET, Fault::Says(400, "KMS.DisabledException", "arn:aws:kms:eu-west-1:444455556666:key/k is disabled.")),
        row("the KMS key is gone", "kms", "kms_key_not_found").s3(GET, Fault::Says(400, "KMS.NotFoundException", "Key 'arn:aws:kms:eu-west-1:444455556666:key/k' does not exist")),
        row("the KMS key is about to be deleted", "kms", "kms_key_invalid_state")
            .s3(GET, Fault::Says(400, "KMS.KMSInvalidStateException", "arn:aws:kms:eu-west-1:444455556666:key/k is pending deletion.")),
    ];
    rows.push(row("", "", ""));
    rows
}

pub async fn outcomes() -> Vec<Outcome> {
    let play = play().await;
    let secrets = vec![play.aws.keys(PLATFORM, GATEWAY_USER).secret_access_key, play.gateway.token().to_owned()];
    let (outcomes, missing) = tokio::join!(
        stream::iter(rows().into_iter().enumerate()).map(|(number, row)| outcome(&play, number, row, &secrets)).buffered(AT_ONCE).collect::<Vec<_>>(),
        without_credentials(&play)
    );
    let (healthy, mut failing): (Vec<Outcome>, Vec<Outcome>) = outcomes.into_iter().partition(|outcome| outcome.code.is_empty());
    for outcome in healthy {
        let checks: Vec<&str> = outcome.findings.iter().map(|found| found.check.as_str()).collect();
        assert_eq!(checks, ALL, "a connection that works: {:?}", outcome.findings);
        assert!(outcome.findings.iter().all(|found| found.passed), "{:?}", outcome.findings);
    }
    failing.push(missing);
    failing
}

async fn outcome(play: &Play, number: usize, row: Row, secrets: &[String]) -> Outcome {
    let (role, bucket, org) = (format!("diag-role-{number:02}"), format!("diag-bucket-{number:02}"), format!("diagorg{number:02}"));
    let arn = format!("arn:aws:iam::{CUSTOMER}:role/{role}");
    let own = |text: &str| text.replace("{role}", &role).replace("{bucket}", &bucket).replace("{object}", KEY).replace("{org}", &org);
    let policy = row.role_policy.map_or_else(|| list_and_get(&bucket), |policy| policy(&bucket));
    let (owner, bucket_policy) = row.bucket_policy.map_or((CUSTOMER, None), |(owner, policy)| (owner, Some(policy(&bucket, &arn))));
    play.aws.load(&Fixture::new().account(CUSTOMER, |account| account.role(&role, trust(Some("not-yet")), Some(policy))));
    play.aws.load(&Fixture::new().account(owner, |account| account.bucket(&bucket, MEDIA_REGION, bucket_policy, &[(KEY, b"jpeg")])));
    let api = if row.own_org { play.api.token(&org, "admin").await } else { play.api.clone() };

    let name = format!("diag_{number:02}");
    let mut config = json!({"iam_role_arn": arn, "bucket_name": bucket});
    if let Some(more) = row.config.as_object() {
        config.as_object_mut().unwrap().extend(more.clone());
    }
    let read = format!("s3://{}/{}", config["bucket_name"].as_str().unwrap(), row.key.unwrap_or(KEY));
    // Tested once it is enabled, when everything is as the row wants it.
    let body = json!({"name": name, "type": "aws_iam_role", "config": config, "test_location": read, "enabled": false});
    let made = api.post("/api/v1/connections", &body).await;
    assert_eq!(made.status.as_u16(), 201, "{}: {}", row.cause, made.text());
    let made = made.json();
    let id = made["external_id"].as_str().unwrap();
    play.aws.trust(CUSTOMER, &role, &trust(Some(id).filter(|_| !row.trust_without_id)));
    for (service, words, fault) in &row.faults {
        let words: Vec<String> = words.iter().map(|word| own(word)).collect();
        play.aws.fail_where(*service, &words.iter().map(String::as_str).collect::<Vec<_>>(), *fault);
    }
    let path = format!("/api/v1/connections/{name}");
    let enabled = api.patch(&path, &json!({"enabled": true})).await.expect(200);
    let tested = match row.location {
        None if enabled["last_test"].is_object() => enabled,
        location => {
            let location = location.map(|location| json!(own(location)));
            let ask = location.map_or_else(|| json!({"update_state": false}), |location| json!({"update_state": false, "location": location}));
            api.post(&format!("{path}/test"), &ask).await.expect(200)
        }
    };
    Outcome { cause: row.cause, check: row.check, code: row.code, also: row.also, findings: found(&tested), secrets: secrets.to_vec() }
}

/// A gateway that has a role and nothing to assume it with.
async fn without_credentials(play: &Play) -> Outcome {
    let endpoint = play.aws.endpoint().as_str().trim_end_matches('/').to_owned();
    let given = Given::default().variable("PORTCULLIS__PLATFORM__ROLE_ARN", GATEWAY_ROLE).variable("PORTCULLIS__AWS__ENDPOINT_URL", endpoint);
    let gateway = given.variable("PORTCULLIS__AWS__PATH_STYLE", "true").start().await;
    let body =
        json!({"name": "films", "type": "aws_iam_role", "config": {"iam_role_arn": "arn:aws:iam::444455556666:role/reader", "bucket_name": "films-bucket"}});
    let made = gateway.api().post("/api/v1/connections", &body).await.expect(201);
    Outcome {
        cause: "the gateway has no AWS credentials",
        check: "assume_role",
        code: "gateway_credentials_missing",
        also: &[],
        findings: found(&made),
        secrets: vec![gateway.token().to_owned()],
    }
}

/// Of a test's answer, or of a connection as it is shown.
fn found(tested: &Value) -> Vec<Found> {
    let checks = tested["checks"].as_array().or(tested["last_test"]["findings"].as_array()).unwrap_or_else(|| panic!("no checks: {tested:#}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let read = |finding: &Value| Found {
        check: text(finding, "check"),
        passed: finding["passed"] == true,
        code: text(finding, "code"),
        message: text(finding, "message"),
        remedy: finding["remedy"].as_str().map(str::to_owned),
    };
    checks.iter().map(read).collect()
}
