//! What `aws_bucket_policy` decides, as pure functions: settings and source paths in, plans, policies and findings out.

use portcullis_plugin::aws::{self, policy, setup};
use portcullis_plugin::{Capability, Connector, Credential, Error, FieldError, Finding, Page, Plan, Principal, S3Object, SetupStep, Target, s3};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The session tag that ties a bucket to an organization (SPEC, default connection). The gateway sets it and nobody else can.
const ORGANIZATION_TAG: &str = "aws:PrincipalTag/organization";

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The one bucket that may be read. Unless given, every bucket whose policy lets the gateway in.
    #[schemars(title = "Bucket", length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$"), extend("x-hint" = "lower-case letters, digits, '.' and '-', beginning and ending with a letter or digit"))]
    pub bucket_name: Option<String>,
    /// What may be read of each bucket: the keys that begin with this, such as `train/`. Everything unless given.
    #[schemars(title = "Prefix", length(min = 1, max = 512), regex(pattern = "^[ -~]+$"), extend("x-hint" = "printable ASCII, such as media/2024/"))]
    pub prefix: Option<String>,
}

impl Settings {
    fn locate(&self, source: &str) -> Result<S3Object, Error> {
        let object = s3::parse(source)?;
        self.reach().admit(&object)?;
        Ok(object)
    }

    fn reach(&self) -> s3::Scope<'_> {
        s3::Scope { bucket: self.bucket_name.as_deref(), prefix: self.prefix.as_deref() }
    }

    fn bucket(&self) -> Result<&str, Error> {
        self.bucket_name.as_deref().ok_or_else(|| Error::invalid("bucket_name_required", "this connection is for any bucket: say which one"))
    }
}

pub struct AwsBucketPolicy;

impl Connector for AwsBucketPolicy {
    const ID: &'static str = "aws_bucket_policy";
    const TITLE: &'static str = "AWS bucket policy";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads buckets of Amazon S3 whose bucket policy lets the gateway's own role in.";
    const SOURCE_SCHEMES: &'static [&'static str] = &["s3", "https"];
    const EGRESS: &'static [&'static str] = &["s3://{settings.bucket_name|*}/{settings.prefix}"];
    const CAPABILITIES: &'static [Capability] = &[Capability::Aws];
    type Settings = Settings;

    fn normalize(mut settings: Settings) -> Result<Settings, Vec<FieldError>> {
        let mut wrong = Vec::new();
        if let Some(Err(message)) = settings.bucket_name.as_deref().map(s3::check_bucket_name) {
            wrong.push(FieldError::new("/bucket_name", message));
        }
        match settings.prefix.as_deref().map(s3::whole_prefix) {
            Some(Err(message)) => wrong.push(FieldError::new("/prefix", message)),
            Some(Ok(prefix)) => settings.prefix = Some(prefix),
            None => {}
        }
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    /// SPEC C9: list on the bucket, get on its objects, both for sessions of this organization only.
    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let bucket = settings.bucket()?;
        // A bucket is in its own partition, which is its readers' too: no principal reaches over.
        let partition = principal.role_arn.split(':').nth(1).unwrap_or("aws");
        let statements = policy::read_bucket(partition, bucket, settings.prefix.as_deref())
            .map(|statement| statement.to_role(&principal.role_arn).if_equals(ORGANIZATION_TAG, &principal.organization));
        let text = format!(
            "In S3, open bucket {bucket}, Permissions, Bucket policy, and paste this. If the bucket has a policy, add the two statements to it. They let {}'s role {} \
             list the bucket and read its objects, and only on behalf of organization {}.",
            principal.platform_name, principal.role_arn, principal.organization
        );
        Ok(vec![
            SetupStep::new("Set the bucket policy", text, setup::bucket_policy(bucket, &statements)),
            SetupStep::new(
                "Test the connection",
                format!(
                    "Test with a test location in the bucket, such as s3://{bucket}/{} and the rest of an object's key.",
                    settings.prefix.as_deref().unwrap_or_default()
                ),
                Vec::new(),
            ),
            setup::cors(bucket),
        ])
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        Ok(Plan::shared(Credential::AwsGatewayRole, sources, |source| settings.locate(source).map(Target::S3)))
    }

    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        let test = match test_location.map(|location| settings.locate(location)).transpose() {
            Ok(test) => test,
            Err(error) => return vec![Finding::failed("test_location", &error)],
        };
        let credential = Credential::AwsGatewayRole;
        let mut findings = match aws::acquire(&credential) {
            Ok(seconds) => vec![Finding::ok("gateway_role", format!("the gateway's role has a session for this organization, for {seconds} s"))],
            Err(error) => return vec![Finding::failed("gateway_role", &error)],
        };
        if let Some(bucket) = settings.bucket_name.as_deref().or(test.as_ref().map(|test| test.bucket.as_str())) {
            s3::check_bucket(&mut findings, &credential, bucket, settings.prefix.as_deref(), test.as_ref());
        }
        findings
    }

    /// Without a bucket in the settings the prefix names one: `s3://bucket/prefix`.
    fn list(settings: &Settings, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        s3::list(&Credential::AwsGatewayRole, &settings.reach(), prefix, cursor, limit)
    }
}

#[cfg(test)]
mod tests;
