//! What `aws_bucket_policy` decides, as pure functions: settings and source paths in, plans, policies and findings out.

use portcullis_plugin::aws::{self, policy};
use portcullis_plugin::{Capability, Connector, Credential, Error, ErrorKind, FieldError, Finding, Page, Plan, Principal, S3Object, SetupStep, Target, s3};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The session tag that ties a bucket to an organization (SPEC, default connection). The gateway sets it and nobody else can.
const ORGANIZATION_TAG: &str = "aws:PrincipalTag/organization";

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The one bucket that may be read. Unless given, every bucket whose policy lets the gateway in.
    #[schemars(title = "Bucket", length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$"))]
    pub bucket_name: Option<String>,
}

impl Settings {
    fn locate(&self, source: &str) -> Result<S3Object, Error> {
        let object = s3::parse(source)?;
        match &self.bucket_name {
            Some(bucket) if *bucket != object.bucket => {
                Err(Error::new(ErrorKind::Denied, "scope_violation", "the source path is in another bucket than the connection's"))
            }
            _ => Ok(object),
        }
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
    const EGRESS: &'static [&'static str] = &["s3://{settings.bucket_name|*}"];
    const CAPABILITIES: &'static [Capability] = &[Capability::Aws];
    type Settings = Settings;

    fn normalize(settings: Settings) -> Result<Settings, Vec<FieldError>> {
        match settings.bucket_name.as_deref().map_or(Ok(()), s3::check_bucket_name) {
            Ok(()) => Ok(settings),
            Err(message) => Err(vec![FieldError::new("/bucket_name", message)]),
        }
    }

    /// SPEC C9: list on the bucket, get on its objects, both for sessions of this organization only.
    fn setup(settings: &Settings, principal: &Principal, _external_id: &str) -> Result<Vec<SetupStep>, Error> {
        let bucket = settings.bucket()?;
        // A bucket is in its own partition, which is its readers' too: no principal reaches over.
        let partition = principal.role_arn.split(':').nth(1).unwrap_or("aws");
        let statements =
            policy::read_bucket(partition, bucket).map(|statement| statement.to_role(&principal.role_arn).if_equals(ORGANIZATION_TAG, &principal.organization));
        let text = format!(
            "In S3, open bucket {bucket}, Permissions, Bucket policy, and paste this. If the bucket has a policy, add the two statements to it. They let {}'s role {} \
             list the bucket and read its objects, and only on behalf of organization {}.",
            principal.platform_name, principal.role_arn, principal.organization
        );
        Ok(vec![
            SetupStep::new("Set the bucket policy", text, vec![policy::document("Bucket policy", &statements)]),
            SetupStep::new(
                "Test the connection",
                format!("Test with a test location in the bucket, such as s3://{bucket}/ and the key of an object."),
                Vec::new(),
            ),
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
            s3::check_bucket(&mut findings, &credential, bucket, test.as_ref());
        }
        findings
    }

    /// Without a bucket in the settings the prefix names one: `s3://bucket/prefix`.
    fn list(settings: &Settings, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        s3::list(&Credential::AwsGatewayRole, settings.bucket_name.as_deref(), prefix, cursor, limit)
    }
}

#[cfg(test)]
mod tests;
