//! STS: AssumeRole and GetCallerIdentity, as the STS API reference (2011-06-15) words them.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::escape::escape;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::auth::Caller;
use super::error::AwsError;
use super::partition;
use super::policy::{Place, Policy};
use super::principal::Principal;
use super::world::{Session, World};

const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub type Params = BTreeMap<String, String>;

/// What the journal is told besides the answer.
#[derive(Default)]
pub struct Judged {
    pub action: Option<String>,
    pub resource: Option<String>,
    pub allowed: Option<bool>,
}

pub fn handle(world: &mut World, caller: &Caller, params: &Params, now: OffsetDateTime, request_id: &str, judged: &mut Judged) -> Result<String, AwsError> {
    let action = params.get("Action").map_or("", String::as_str);
    if params.get("Version").map(String::as_str) != Some(VERSION) {
        return Err(AwsError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {action} for version {}", params.get("Version").map_or("NO_VERSION_SPECIFIED", String::as_str)),
        ));
    }
    judged.action = Some(format!("sts:{action}"));
    let result = match action {
        "AssumeRole" => assume_role(world, caller, params, now, judged)?,
        "GetCallerIdentity" => caller_identity(caller),
        _ => return Err(AwsError::new(400, "InvalidAction", format!("Could not find operation {action} for version {VERSION}"))),
    };
    Ok(format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    ))
}

/// Allowed to everyone who has a session or a key, even against a Deny.
fn caller_identity(caller: &Caller) -> String {
    let account = caller.principal.account().cloned().unwrap_or_default();
    let id = match &caller.principal {
        Principal::Session { role, session, .. } => format!("{}:{session}", role_id(&account, role)),
        Principal::User { name, .. } => format!("AIDA{:016X}", fingerprint(&format!("{account}/{name}"))),
        _ => account.clone(),
    };
    format!("<Arn>{}</Arn><UserId>{id}</UserId><Account>{account}</Account>", escape(caller.principal.arn()))
}

struct AssumeRole {
    partition: &'static str,
    account: String,
    role: String,
    arn: String,
    session_name: String,
    duration: i64,
    external_id: Option<String>,
    policy: Option<Policy>,
    tags: BTreeMap<String, String>,
    transitive: Vec<String>,
}

fn assume_role(world: &mut World, caller: &Caller, params: &Params, now: OffsetDateTime, judged: &mut Judged) -> Result<String, AwsError> {
    let asked = AssumeRole::parse(params)?;
    judged.resource = Some(asked.arn.clone());
    // The same words for a role that is not there: STS does not tell.
    let denied = |action: &str| {
        AwsError::new(403, "AccessDenied", format!("User: {} is not authorized to perform: {action} on resource: {}", caller.principal.arn(), asked.arn))
    };
    judged.allowed = Some(false);
    if caller.principal.partition() != Some(asked.partition) {
        return Err(invalid("Request ARN is invalid"));
    }
    let role = world.role(&asked.account, &asked.role).filter(|_| world.partition(&asked.account) == asked.partition);
    let role = role.ok_or_else(|| denied("sts:AssumeRole"))?.clone();
    let inherited: BTreeMap<String, String> =
        caller.session.iter().flat_map(|session| session.transitive.iter().filter_map(|key| Some((key.clone(), session.tags.get(key)?.clone())))).collect();
    let mut context = caller.context(now);
    let mut set = |key: &str, values: Vec<String>| _ = context.insert(key.to_ascii_lowercase(), values);
    set("sts:RoleSessionName", vec![asked.session_name.clone()]);
    set("aws:ResourceAccount", vec![asked.account.clone()]);
    if let Some(id) = &asked.external_id {
        set("sts:ExternalId", vec![id.clone()]);
    }
    for (key, value) in &asked.tags {
        set(&format!("aws:RequestTag/{key}"), vec![value.clone()]);
    }
    if !asked.tags.is_empty() {
        set("aws:TagKeys", asked.tags.keys().cloned().collect());
    }
    let may = |action: &str| caller.may_assume(action, &asked.arn, &context, &role.trust, &asked.account);
    if !may("sts:AssumeRole") {
        return Err(denied("sts:AssumeRole"));
    }
    if !asked.tags.is_empty() && !may("sts:TagSession") {
        return Err(denied("sts:TagSession"));
    }
    if caller.session.is_some() && asked.duration > 3600 {
        return Err(invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."));
    }
    if asked.duration > role.max_session {
        return Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    }
    if let Some(key) = asked.tags.keys().find(|key| inherited.contains_key(*key)) {
        return Err(invalid(format!("The tag {key} is transitive in the calling session and cannot be set again.")));
    }
    judged.allowed = Some(true);
    let mut tags = inherited.clone();
    tags.extend(asked.tags);
    let principal =
        Principal::Session { partition: asked.partition, account: asked.account.clone(), role: asked.role.clone(), session: asked.session_name.clone() };
    let (arn, expires) = (principal.arn(), now + Duration::seconds(role.ends_after.unwrap_or(asked.duration)));
    let mut transitive: Vec<String> = inherited.into_keys().collect();
    transitive.extend(asked.transitive);
    let policy = asked.policy;
    let keys = world.open_session(now, |keys| Session {
        principal,
        secret: keys.secret_access_key.clone(),
        token: keys.session_token.clone().unwrap_or_default(),
        expires,
        tags,
        transitive,
        policy,
    });
    let keys = keys.ok_or_else(|| AwsError::new(503, "ServiceUnavailable", "too many sessions in the double"))?;
    let until = expires.replace_nanosecond(0).unwrap_or(expires).format(&Rfc3339).unwrap_or_default();
    Ok(format!(
        "<AssumedRoleUser><AssumedRoleId>{}:{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken><Expiration>{until}</Expiration></Credentials><PackedPolicySize>6</PackedPolicySize>",
        role_id(&asked.account, &asked.role),
        asked.session_name,
        escape(&arn),
        keys.access_key_id,
        keys.secret_access_key,
        keys.session_token.unwrap_or_default(),
    ))
}

impl AssumeRole {
    fn parse(params: &Params) -> Result<Self, AwsError> {
        let arn = params.get("RoleArn").ok_or_else(|| invalid("Value null at 'roleArn' failed to satisfy constraint: Member must not be null"))?;
        let (partition, account, role) = role_of(arn).ok_or_else(|| invalid(format!("{arn} is invalid")))?;
        let session_name = params.get("RoleSessionName").cloned().unwrap_or_default();
        constrained("roleSessionName", &session_name, 2, 64, "+=,.@-")?;
        let external_id = params.get("ExternalId").cloned();
        if let Some(id) = &external_id {
            constrained("externalId", id, 2, 1224, "+=,.@:/-")?;
        }
        let duration = params.get("DurationSeconds").map_or(Some(3600), |text| text.parse().ok()).filter(|seconds| (900..=43_200).contains(seconds));
        let duration = duration.ok_or_else(|| {
            invalid("1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200")
        })?;
        let policy = params.get("Policy").map(|text| session_policy(text)).transpose()?;
        let tags = tags(params)?;
        let transitive: Vec<String> = members(params, "TransitiveTagKeys.member.", "").into_iter().map(|(_, value)| value).collect();
        if let Some(key) = transitive.iter().find(|key| !tags.contains_key(*key)) {
            return Err(invalid(format!("The specified transitive tag key {key} must be included in the requested tags.")));
        }
        let known = |name: &str| {
            matches!(name, "Action" | "Version" | "RoleArn" | "RoleSessionName" | "ExternalId" | "DurationSeconds" | "Policy" | "SourceIdentity")
                || name.starts_with("Tags.member.")
                || name.starts_with("TransitiveTagKeys.member.")
        };
        match params.keys().find(|name| !known(name)) {
            Some(name) => Err(invalid(format!("{name} is not supported by the double"))),
            None => Ok(Self { partition, account, role, arn: arn.clone(), session_name, duration, external_id, policy, tags, transitive }),
        }
    }
}

fn session_policy(text: &str) -> Result<Policy, AwsError> {
    if text.is_empty() || text.chars().count() > 2048 {
        return Err(invalid("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"));
    }
    Policy::parse_text(Place::Session, text).map_err(|problem| AwsError::new(400, "MalformedPolicyDocument", problem))
}

fn tags(params: &Params) -> Result<BTreeMap<String, String>, AwsError> {
    let keys: BTreeMap<u32, String> = members(params, "Tags.member.", ".Key").into_iter().collect();
    let values: BTreeMap<u32, String> = members(params, "Tags.member.", ".Value").into_iter().collect();
    let distinct: BTreeSet<String> = keys.values().map(|key| key.to_lowercase()).collect();
    if distinct.len() != keys.len() {
        return Err(AwsError::new(400, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."));
    }
    if keys.len() > 50 {
        return Err(invalid("at most 50 session tags"));
    }
    let plain = |text: &str| text.chars().all(|character| character.is_alphanumeric() || " _.:/=+-@".contains(character));
    keys.into_iter()
        .map(|(index, key)| {
            let value = values.get(&index).cloned().unwrap_or_default();
            let fits = (1..=128).contains(&key.chars().count())
                && value.chars().count() <= 256
                && plain(&key)
                && plain(&value)
                && !key.to_lowercase().starts_with("aws:");
            if fits { Ok((key, value)) } else { Err(invalid(format!("the session tag {key} is not valid"))) }
        })
        .collect()
}

fn members(params: &Params, prefix: &str, suffix: &str) -> Vec<(u32, String)> {
    params.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok()?, value.clone()))).collect()
}

/// `arn:<partition>:iam::<account>:role/<path and name>`
fn role_of(arn: &str) -> Option<(&'static str, String, String)> {
    let (partition, rest) = arn.strip_prefix("arn:").filter(|_| (20..=2048).contains(&arn.len()))?.split_once(":iam::")?;
    let partition = partition::named(partition)?;
    let (account, resource) = rest.split_once(':')?;
    let role = resource.strip_prefix("role/").filter(|role| !role.is_empty() && !role.ends_with('/'))?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then(|| (partition, account.to_owned(), role.to_owned()))
}

/// `[\w+=,.@-]*` and the like.
fn constrained(name: &str, value: &str, least: usize, most: usize, marks: &str) -> Result<(), AwsError> {
    let fits = (least..=most).contains(&value.len())
        && value.chars().all(|character| character.is_ascii_alphanumeric() || character == '_' || marks.contains(character));
    if fits { Ok(()) } else { Err(invalid(format!("1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint"))) }
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

fn role_id(account: &str, role: &str) -> String {
    format!("AROA{:016X}", fingerprint(&format!("{account}/{role}")))
}

/// Stable for a name, as AWS's unique ids are for an entity.
fn fingerprint(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
