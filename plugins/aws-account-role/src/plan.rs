//! What `aws_account_role` decides, as pure functions: an account and a region in, the role's ARN and plans out.

use portcullis_plugin::aws::{self, RoleArn, partition_of};
use portcullis_plugin::{
    AssumeRoleCredential, Capability, Connector, Credential, Error, ErrorKind, FieldError, Finding, Page, Plan, Principal, S3Object, SetupStep, Target, s3,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setup;

/// The convention: a role's name is this and the region. Roles are global in an account, and each connection has an external id of
/// its own, so that two regions need two roles. Whoever wants another name changes this line: a plugin is the platform's.
const ROLE_NAME: &str = "PortcullisReader";
const SESSION_SECONDS: u32 = 3600;
const LOOK_AT: &str = "Check, in this order: that the account has a role of exactly this name; that its trust policy names the gateway's role and this \
                       connection's external id, exactly as the setup shows them; that the account id is right; that STS is active for the region in the account.";

/// SPEC P2. Name, description and `enabled` are the connection's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The 12 digits of the AWS account that owns the buckets.
    #[schemars(title = "Account id", length(min = 12, max = 12), regex(pattern = "^[0-9]{12}$"), extend("x-identity" = true, "x-hint" = "exactly 12 digits"))]
    pub account_id: String,
    /// The region that the buckets are in, such as `us-east-2`.
    #[schemars(title = "Region", length(min = 4, max = 32), regex(pattern = "^[a-z]+(-[a-z]+)+-[0-9]+$"), extend("x-identity" = true, "x-hint" = "a region of AWS, such as eu-west-1"))]
    pub region: String,
    /// The one bucket that may be read. Unless given, every bucket that the role may read.
    #[schemars(title = "Bucket", length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$"), extend("x-hint" = "lower-case letters, digits, '.' and '-', beginning and ending with a letter or digit"))]
    pub bucket_name: Option<String>,
    /// What may be read of each bucket: the keys that begin with this, such as `train/`. Everything unless given.
    #[schemars(title = "Prefix", length(min = 1, max = 512), regex(pattern = "^[ -~]+$"), extend("x-hint" = "printable ASCII, such as media/2024/"))]
    pub prefix: Option<String>,
    /// Follows from account and region; need not be given.
    #[schemars(title = "Role ARN", length(max = 2048), extend("readOnly" = true))]
    pub iam_role_arn: Option<String>,
}

impl Settings {
    /// What follows from account and region.
    pub(crate) fn role_arn(&self) -> Result<String, Error> {
        let partition = partition_of(&self.region).ok_or_else(|| Error::invalid("unknown_region", "AWS has no such region"))?;
        Ok(format!("arn:{partition}:iam::{}:role/{ROLE_NAME}-{}", self.account_id, self.region))
    }

    fn credential(&self) -> Result<Credential, Error> {
        let region = Some(self.region.clone());
        Ok(Credential::AwsAssumeRole(AssumeRoleCredential { role_arn: self.role_arn()?, duration_seconds: SESSION_SECONDS, region }))
    }

    fn reach(&self) -> s3::Scope<'_> {
        s3::Scope { bucket: self.bucket_name.as_deref(), prefix: self.prefix.as_deref() }
    }

    fn locate(&self, source: &str) -> Result<S3Object, Error> {
        let object = s3::parse(source)?;
        self.reach().admit(&object)?;
        if object.region.as_ref().is_some_and(|region| *region != self.region) {
            return Err(Error::new(ErrorKind::Denied, "scope_violation", "the source path is in another region than the connection's"));
        }
        Ok(S3Object { region: Some(self.region.clone()), ..object })
    }
}

pub struct AwsAccountRole;

impl Connector for AwsAccountRole {
    const ID: &'static str = "aws_account_role";
    const TITLE: &'static str = "AWS account and region";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads buckets of Amazon S3 in one account and region, by a role whose name is agreed.";
    const SOURCE_SCHEMES: &'static [&'static str] = &["s3", "https"];
    const EGRESS: &'static [&'static str] = &["s3://{settings.bucket_name|*}/{settings.prefix}"];
    const CAPABILITIES: &'static [Capability] = &[Capability::Aws];
    type Settings = Settings;

    /// Writes the role's ARN into the settings, where the customer and the gateway see it.
    fn normalize(mut settings: Settings) -> Result<Settings, Vec<FieldError>> {
        let mut wrong = Vec::new();
        if settings.account_id.len() != 12 || !settings.account_id.bytes().all(|byte| byte.is_ascii_digit()) {
            wrong.push(FieldError::new("/account_id", "an account id is exactly 12 digits"));
        }
        if let Some(Err(message)) = settings.bucket_name.as_deref().map(s3::check_bucket_name) {
            wrong.push(FieldError::new("/bucket_name", message));
        }
        match settings.prefix.as_deref().map(s3::whole_prefix) {
            Some(Err(message)) => wrong.push(FieldError::new("/prefix", message)),
            Some(Ok(prefix)) => settings.prefix = Some(prefix),
            None => {}
        }
        match settings.role_arn() {
            Err(error) => wrong.push(FieldError::new("/region", error.message)),
            Ok(arn) if settings.iam_role_arn.as_ref().is_some_and(|given| *given != arn) => {
                wrong.push(FieldError::new("/iam_role_arn", "the role follows from account and region: leave its ARN out"));
            }
            Ok(arn) => settings.iam_role_arn = Some(arn),
        }
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    fn setup(settings: &Settings, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>, Error> {
        setup::steps(settings, principal, external_id)
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        Ok(Plan::shared(settings.credential()?, sources, |source| settings.locate(source).map(Target::S3)))
    }

    /// SPEC P9.
    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        let ready = test_location.map(|location| settings.locate(location)).transpose();
        let (test, credential, arn) = match ready.and_then(|test| Ok((test, settings.credential()?, settings.role_arn()?))) {
            Ok(ready) => ready,
            Err(error) => return vec![Finding::failed("settings", &error)],
        };
        let role = match RoleArn::parse(&arn) {
            Ok(role) => role,
            Err(message) => return vec![Finding::failed("settings", &Error::invalid("invalid_account_id", message))],
        };
        let mut findings = vec![Finding::ok("settings", format!("the role is {arn}"))];
        let bucket = settings.bucket_name.as_deref().or(test.as_ref().map(|test| test.bucket.as_str()));
        if aws::check_role(&mut findings, &credential, &role, LOOK_AT)
            && let Some(bucket) = bucket
        {
            s3::check_bucket(&mut findings, &credential, bucket, settings.prefix.as_deref(), test.as_ref());
        }
        findings
    }

    /// Without a bucket in the settings the prefix names one: `s3://bucket/prefix`.
    fn list(settings: &Settings, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        s3::list(&settings.credential()?, &settings.reach(), prefix, cursor, limit)
    }
}

#[cfg(test)]
mod tests;
