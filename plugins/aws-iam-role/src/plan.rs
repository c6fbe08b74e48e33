//! What `aws_iam_role` decides, as pure functions: settings and source paths in, plans out.

use portcullis_plugin::aws::{RoleArn, partition_of};
use portcullis_plugin::{
    AssumeRoleCredential, Capability, Connector, Credential, Error, FieldError, Finding, Page, Plan, Principal, S3Object, SetupStep, Target, s3,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{checks, setup};

/// What the role opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    S3,
    Bedrock,
}

/// SPEC C10.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The role that the gateway assumes. To see the external id before the role exists, enter
    /// `arn:aws:iam::000000000000:role/temporary`.
    #[schemars(title = "Role ARN", length(max = 2048), regex(pattern = "^arn:(aws|aws-cn|aws-us-gov|aws-eusc):iam::[0-9]{12}:role/[!-~]+$"), extend("x-hint" = "the ARN of a role, such as arn:aws:iam::123456789012:role/Name"))]
    pub iam_role_arn: String,
    /// `s3`: read the objects of one bucket. `bedrock`: no bucket, the role's identity alone is tested.
    #[serde(default)]
    #[schemars(title = "Scope")]
    pub scope: Scope,
    /// The bucket that may be read. Scope `s3` only, where it is required.
    #[schemars(title = "Bucket", length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$"), extend("x-hint" = "lower-case letters, digits, '.' and '-', beginning and ending with a letter or digit"))]
    pub bucket_name: Option<String>,
    /// What may be read of the bucket: the keys that begin with this, such as `train/`. Scope `s3` only. Everything unless given.
    #[schemars(title = "Prefix", length(min = 1, max = 512), regex(pattern = "^[ -~]+$"), extend("x-hint" = "printable ASCII, such as media/2024/"))]
    pub prefix: Option<String>,
    /// For how many seconds a session is used.
    #[serde(default = "an_hour")]
    #[schemars(title = "Session TTL", range(min = 60, max = 3600))]
    pub session_ttl: u32,
    /// The region whose endpoints are asked. Found out unless given.
    #[schemars(title = "Region", length(min = 4, max = 32), regex(pattern = "^[a-z]+(-[a-z]+)+-[0-9]+$"), extend("x-hint" = "a region of AWS, such as eu-west-1"))]
    pub region: Option<String>,
}

fn an_hour() -> u32 {
    3600
}

impl Settings {
    pub(crate) fn role(&self) -> Result<RoleArn<'_>, Error> {
        RoleArn::parse(&self.iam_role_arn).map_err(|message| Error::invalid("invalid_role_arn", message))
    }

    /// The bucket of scope `s3`.
    pub(crate) fn bucket(&self) -> Result<&str, Error> {
        match (self.scope, &self.bucket_name) {
            (Scope::S3, Some(bucket)) => Ok(bucket),
            (Scope::S3, None) => Err(Error::invalid("bucket_name_required", "the connection names no bucket")),
            (Scope::Bedrock, _) => Err(Error::invalid("scope_has_no_objects", "a connection of scope bedrock reads no objects")),
        }
    }

    /// What may be read, in scope `s3`.
    pub(crate) fn reach(&self) -> Result<s3::Scope<'_>, Error> {
        Ok(s3::Scope { bucket: Some(self.bucket()?), prefix: self.prefix.as_deref() })
    }

    pub(crate) fn credential(&self) -> Credential {
        let (role_arn, region) = (self.iam_role_arn.clone(), self.region.clone());
        Credential::AwsAssumeRole(AssumeRoleCredential { role_arn, duration_seconds: self.session_ttl, region })
    }

    /// Where a source path is, if the connection may read it.
    pub(crate) fn locate(&self, source: &str) -> Result<S3Object, Error> {
        let object = s3::parse(source)?;
        self.reach()?.admit(&object)?;
        let partition = object.region.as_deref().and_then(partition_of);
        if partition.is_some_and(|partition| self.role().is_ok_and(|role| role.partition != partition)) {
            return Err(Error::invalid("partition_mismatch", "the source path's region is in another partition of AWS than the role"));
        }
        Ok(S3Object { region: object.region.or_else(|| self.region.clone()), ..object })
    }
}

pub struct AwsIamRole;

impl Connector for AwsIamRole {
    const ID: &'static str = "aws_iam_role";
    const TITLE: &'static str = "AWS IAM role";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Reads a bucket of Amazon S3 by assuming a role that the customer made for the gateway.";
    const SOURCE_SCHEMES: &'static [&'static str] = &["s3", "https"];
    // Without a bucket (scope bedrock) there is nothing to reach.
    const EGRESS: &'static [&'static str] = &["s3://{settings.bucket_name}/{settings.prefix}"];
    const CAPABILITIES: &'static [Capability] = &[Capability::Aws];
    type Settings = Settings;

    fn normalize(mut settings: Settings) -> Result<Settings, Vec<FieldError>> {
        let wrong = field_errors(&mut settings);
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    fn setup(settings: &Settings, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>, Error> {
        setup::steps(settings, principal, external_id)
    }

    fn locate(settings: &Settings, sources: &[String]) -> Result<Plan, Error> {
        if settings.role()?.is_placeholder() {
            return Err(Error::invalid("role_not_set", "the connection has no role yet").with_remedy("Make the role, then enter its ARN."));
        }
        settings.bucket()?;
        Ok(Plan::shared(settings.credential(), sources, |source| settings.locate(source).map(Target::S3)))
    }

    fn check(settings: &Settings, test_location: Option<&str>) -> Vec<Finding> {
        checks::run(settings, test_location)
    }

    fn list(settings: &Settings, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        s3::list(&settings.credential(), &settings.reach()?, prefix, cursor, limit)
    }
}

/// What a schema cannot say, and what it says without a reason. Ends the prefix with its slash.
fn field_errors(settings: &mut Settings) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut field = |name: &str, message: String| wrong.push(FieldError::new(format!("/{name}"), message));
    let role = RoleArn::parse(&settings.iam_role_arn);
    if let Err(message) = role {
        field("iam_role_arn", message.to_owned());
    }
    match (settings.scope, &settings.bucket_name) {
        (Scope::S3, None) => field("bucket_name", "scope s3 needs a bucket".to_owned()),
        (Scope::Bedrock, Some(_)) => field("bucket_name", "scope bedrock takes no bucket".to_owned()),
        (Scope::Bedrock, None) => {}
        (Scope::S3, Some(bucket)) => {
            if let Err(message) = s3::check_bucket_name(bucket) {
                field("bucket_name", message);
            }
        }
    }
    match (settings.scope, settings.prefix.as_deref().map(s3::whole_prefix)) {
        (Scope::Bedrock, Some(_)) => field("prefix", "scope bedrock takes no prefix".to_owned()),
        (Scope::S3, Some(Err(message))) => field("prefix", message.to_owned()),
        (Scope::S3, Some(Ok(prefix))) => settings.prefix = Some(prefix),
        (_, None) => {}
    }
    if !(60..=3600).contains(&settings.session_ttl) {
        field("session_ttl", "a session lasts 60 to 3600 seconds".to_owned());
    }
    match (settings.region.as_deref().map(partition_of), role) {
        (Some(None), _) => field("region", "AWS has no such region".to_owned()),
        (Some(Some(partition)), Ok(role)) if partition != role.partition => {
            field("region", "the region is in another partition of AWS than the role".to_owned())
        }
        _ => {}
    }
    wrong
}

#[cfg(test)]
mod tests;
