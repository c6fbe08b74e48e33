//! Who sent a request: its signature, its session token and its clock, with the errors that S3 and STS give for each flaw.

use http::request::Parts;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::access::{Attached, allowed, may_assume, why_not};
use super::error::{AwsError, access_denied};
use super::fault::Service;
use super::partition;
use super::policy::{Context, Policy, Request};
use super::principal::Principal;
use super::sigv4::{self, Claim, Flaw, Form, PathRule, sha256_hex};
use super::world::{Holder, Session, World};

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

pub struct Caller {
    pub principal: Principal,
    /// The region that the request was signed for.
    pub region: Option<String>,
    pub session: Option<Session>,
    identity: Option<Policy>,
}

impl Caller {
    /// The condition keys that say who asks and when.
    #[must_use]
    pub fn context(&self, now: OffsetDateTime) -> Context {
        let mut context = Context::new();
        let mut set = |key: String, value: String| _ = context.insert(key.to_ascii_lowercase(), vec![value]);
        set("aws:PrincipalArn".into(), self.principal.policy_arn());
        set("aws:PrincipalType".into(), self.principal.kind().into());
        set("aws:SourceIp".into(), "127.0.0.1".into());
        set("aws:SecureTransport".into(), "false".into());
        set("aws:CurrentTime".into(), now.format(&Rfc3339).unwrap_or_default());
        set("aws:EpochTime".into(), now.unix_timestamp().to_string());
        if let Some(account) = self.principal.account() {
            set("aws:PrincipalAccount".into(), account.clone());
        }
        if let Principal::User { name, .. } = &self.principal {
            set("aws:username".into(), name.clone());
        }
        if let Some(region) = &self.region {
            set("aws:RequestedRegion".into(), region.clone());
        }
        for (key, value) in self.session.iter().flat_map(|session| &session.tags) {
            set(format!("aws:PrincipalTag/{key}"), value.clone());
        }
        context
    }

    /// What S3 says to whoever may not.
    #[must_use]
    pub fn denied(&self, action: &str, resource: &str, context: &Context, policy: Option<&Policy>, owner: &str) -> AwsError {
        let why = why_not(&Request { principal: &self.principal, action, resource, context }, self.attached(), policy, owner);
        why.map_or_else(access_denied, |why| {
            AwsError::new(
                403,
                "AccessDenied",
                format!("User: {} is not authorized to perform: {action} on resource: \"{resource}\" {why}", self.principal.arn()),
            )
        })
    }

    #[must_use]
    pub fn may_assume(&self, action: &str, role: &str, context: &Context, trust: &Policy, owner: &str) -> bool {
        may_assume(&Request { principal: &self.principal, action, resource: role, context }, self.attached(), trust, owner)
    }

    #[must_use]
    pub fn may(&self, action: &str, resource: &str, context: &Context, policy: Option<&Policy>, owner: &str) -> bool {
        allowed(&Request { principal: &self.principal, action, resource, context }, self.attached(), policy, owner)
    }

    fn attached(&self) -> Attached<'_> {
        Attached { identity: self.identity.as_ref(), session: self.session.as_ref().and_then(|session| session.policy.as_ref()) }
    }
}

pub fn authenticate(world: &World, parts: &Parts, body: &[u8], service: Service, now: OffsetDateTime) -> Result<Caller, AwsError> {
    let Some(claim) = sigv4::read(parts).map_err(|flaw| error(service, flaw, None, now))? else {
        return match service {
            Service::S3 => Ok(Caller { principal: Principal::Anonymous, region: None, session: None, identity: None }),
            Service::Sts => Err(AwsError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")),
        };
    };
    if claim.service != name(service) {
        return Err(error(service, Flaw::Malformed(format!("service '{}' is wrong; expecting '{}'", claim.service, name(service))), None, now));
    }
    let holder = world.holder(&claim.access_key).filter(|holder| holder.partition() == Some(partition::of_region(&claim.region)));
    let holder = holder.ok_or_else(|| unknown_key(service, &claim))?;
    let (secret, expected_token) = match &holder {
        Holder::User(user) => (&user.secret, None),
        Holder::Session(session) => (&session.secret, Some(&session.token)),
    };
    match (&claim.token, expected_token) {
        (None, Some(_)) => return Err(unknown_key(service, &claim)),
        (given, expected) if given.as_ref() != expected => return Err(invalid_token(service)),
        _ => {}
    }
    let (payload, rule) = match service {
        Service::S3 => (payload_hash(&claim, parts, body)?, PathRule::Exact),
        Service::Sts => (sha256_hex(body), PathRule::Normalized),
    };
    claim.verify(parts, secret, &payload, rule, now).map_err(|flaw| error(service, flaw, Some(&claim), now))?;
    let region = Some(claim.region);
    match holder {
        Holder::User(user) => Ok(Caller {
            principal: Principal::User { partition: user.partition, account: user.account, name: user.name },
            region,
            session: None,
            identity: user.policy,
        }),
        Holder::Session(session) if session.expires <= now => Err(expired_token(service)),
        Holder::Session(session) => {
            let identity = match &session.principal {
                Principal::Session { account, role, .. } => world.role(account, role).and_then(|role| role.policy.clone()),
                _ => None,
            };
            Ok(Caller { principal: session.principal.clone(), region, identity, session: Some(session) })
        }
    }
}

/// S3 signs the hash that a header names, and then holds the body against it.
fn payload_hash(claim: &Claim, parts: &Parts, body: &[u8]) -> Result<String, AwsError> {
    if matches!(claim.form, Form::Query { .. }) {
        return Ok(UNSIGNED.to_owned());
    }
    let stated = parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    let stated = stated.ok_or_else(|| AwsError::new(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"))?;
    if stated != UNSIGNED && stated != sha256_hex(body) {
        return Err(AwsError::new(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."));
    }
    Ok(stated.to_owned())
}

fn name(service: Service) -> &'static str {
    match service {
        Service::S3 => "s3",
        Service::Sts => "sts",
    }
}

fn unknown_key(service: Service, claim: &Claim) -> AwsError {
    match service {
        Service::S3 => AwsError::new(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
            .detail("AWSAccessKeyId", &claim.access_key),
        Service::Sts => AwsError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    }
}

fn invalid_token(service: Service) -> AwsError {
    match service {
        Service::S3 => AwsError::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        Service::Sts => AwsError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    }
}

#[must_use]
pub fn expired_token(service: Service) -> AwsError {
    match service {
        Service::S3 => AwsError::new(400, "ExpiredToken", "The provided token has expired."),
        Service::Sts => AwsError::new(403, "ExpiredToken", "The security token included in the request is expired"),
    }
}

/// As AWS answers at `now`, by its own clock.
#[must_use]
pub fn skewed(service: Service, now: OffsetDateTime) -> AwsError {
    let date = now.format(format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT")).unwrap_or_default();
    error(service, Flaw::Skewed, None, now).header("date", date)
}

fn error(service: Service, flaw: Flaw, claim: Option<&Claim>, now: OffsetDateTime) -> AwsError {
    let stamp = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let mismatch = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    match (service, flaw) {
        (Service::S3, Flaw::Malformed(what)) => AwsError::new(400, "AuthorizationHeaderMalformed", format!("The authorization header is malformed; {what}")),
        (Service::Sts, Flaw::Malformed(what)) => {
            AwsError::new(400, "IncompleteSignature", format!("The request signature does not conform to AWS standards: {what}"))
        }
        (_, Flaw::Twice) => AwsError::new(
            400,
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
        ),
        (Service::S3, Flaw::Unsigned(header)) => {
            AwsError::new(403, "AccessDenied", "There were headers present in the request which were not signed").detail("HeadersNotSigned", header)
        }
        (Service::Sts, Flaw::Unsigned(header)) => {
            AwsError::new(403, "SignatureDoesNotMatch", format!("'{header}' must be a 'SignedHeader' in the AWS Authorization."))
        }
        (Service::S3, Flaw::Skewed) => AwsError::new(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
            .detail("RequestTime", claim.map(|claim| stamp(claim.date)).unwrap_or_default())
            .detail("ServerTime", stamp(now))
            .detail("MaxAllowedSkewMilliseconds", "900000"),
        (Service::Sts, Flaw::Skewed) => {
            AwsError::new(403, "SignatureDoesNotMatch", "Signature expired or not yet current: the request time is more than 15 min. away")
        }
        (_, Flaw::Expired) => AwsError::new(403, "AccessDenied", "Request has expired"),
        (_, Flaw::NotYetValid) => AwsError::new(403, "AccessDenied", "Request is not valid yet"),
        (_, Flaw::Mismatch) => AwsError::new(403, "SignatureDoesNotMatch", mismatch),
    }
}
