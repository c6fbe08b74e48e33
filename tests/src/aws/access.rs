//! Whether a principal may: identity, session and resource policies joined as IAM's "Policy evaluation logic" says.

use super::policy::{Named, Policy, Request};

/// What is attached to the one who asks.
#[derive(Clone, Copy, Default)]
pub struct Attached<'a> {
    pub identity: Option<&'a Policy>,
    pub session: Option<&'a Policy>,
}

/// `resource_account` owns what is asked for; `resource` is the policy on it: a bucket's, or a role's trust policy.
#[must_use]
pub fn allowed(request: &Request<'_>, attached: Attached<'_>, resource: Option<&Policy>, resource_account: &str) -> bool {
    if [attached.identity, attached.session, resource].into_iter().flatten().any(|policy| policy.denies(request)) {
        return false;
    }
    let named = resource.and_then(|policy| policy.allows(request));
    let identity = attached.identity.is_some_and(|policy| policy.allows(request).is_some());
    // A session policy limits what the role may, and what a resource gives to the role; not what it gives to the session itself.
    let session = attached.session.is_none_or(|policy| policy.allows(request).is_some());
    match request.principal.account() {
        None => named >= Some(Named::Itself),
        Some(own) if own == resource_account => (session && (identity || named >= Some(Named::Itself))) || named == Some(Named::Session),
        // Over accounts, both sides must allow.
        Some(_) => named.is_some() && identity && session,
    }
}

/// The end of AWS's sentence about what is not `allowed`, where it says more than "Access Denied": inside one account only.
/// Wording: IAM User Guide, "Troubleshoot access denied error messages".
#[must_use]
pub fn why_not(request: &Request<'_>, attached: Attached<'_>, resource: Option<&Policy>, resource_account: &str) -> Option<String> {
    if request.principal.account().is_none_or(|account| account != resource_account) {
        return None;
    }
    let denies = |policy: Option<&Policy>| policy.is_some_and(|policy| policy.denies(request));
    let explicit = [(attached.identity, "an identity-based policy"), (attached.session, "a session policy"), (resource, "a resource-based policy")];
    if let Some((_, kind)) = explicit.into_iter().find(|(policy, _)| denies(*policy)) {
        return Some(format!("with an explicit deny in {kind}"));
    }
    let within_session = attached.session.is_none_or(|policy| policy.allows(request).is_some());
    let kind = if within_session { "identity-based" } else { "session" };
    Some(format!("because no {kind} policy allows the {} action", request.action))
}

/// A role's trust policy must always allow: the caller's own policies are never enough, not even in the role's account.
#[must_use]
pub fn may_assume(request: &Request<'_>, attached: Attached<'_>, trust: &Policy, role_account: &str) -> bool {
    trust.allows(request).is_some() && allowed(request, attached, Some(trust), role_account)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Attached, allowed};
    use crate::aws::policy::{Context, Place, Policy, Request};
    use crate::aws::principal::Principal;

    const OWN: &str = "111122223333";
    const OTHER: &str = "444455556666";

    fn verdict(principal: &Principal, identity: Option<Value>, session: Option<Value>, resource: Option<Value>, account: &str) -> bool {
        let parse = |place, document: Option<Value>| document.map(|document| Policy::parse(place, &json!({"Statement": document})).unwrap());
        let (identity, session, resource) = (parse(Place::Identity, identity), parse(Place::Session, session), parse(Place::Bucket, resource));
        let request = Request { principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", context: &Context::new() };
        allowed(&request, Attached { identity: identity.as_ref(), session: session.as_ref() }, resource.as_ref(), account)
    }

    #[test]
    fn policies_are_joined_as_aws_documents_it() {
        let role = Principal::Session { partition: "aws", account: OWN.into(), role: "r".into(), session: "s".into() };
        let allow = || Some(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
        let deny = || Some(json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}));
        let elsewhere = || Some(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/other"}));
        let to = |principal: Value, effect: &str| Some(json!({"Effect": effect, "Principal": principal, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}));
        let (r, s, root) =
            (json!({"AWS": format!("arn:aws:iam::{OWN}:role/r")}), json!({"AWS": format!("arn:aws:sts::{OWN}:assumed-role/r/s")}), json!({"AWS": OWN}));
        for (sentence, principal, identity, session, resource, account, expected) in [
            ("nobody allows", &role, None, None, None, OWN, false),
            ("own account: the identity policy is enough", &role, allow(), None, None, OWN, true),
            ("own account: the resource that names the role is enough", &role, None, None, to(r.clone(), "Allow"), OWN, true),
            ("own account: the resource that names the account only delegates", &role, None, None, to(root.clone(), "Allow"), OWN, false),
            ("own account: the resource denies", &role, allow(), None, to(json!("*"), "Deny"), OWN, false),
            ("own account: the resource denies the whole account", &role, allow(), None, to(root.clone(), "Deny"), OWN, false),
            ("the identity policy denies what the resource gives", &role, deny(), None, to(r.clone(), "Allow"), OWN, false),
            ("the session policy does not list it", &role, allow(), elsewhere(), None, OWN, false),
            ("the session policy limits what the role is given", &role, None, elsewhere(), to(r.clone(), "Allow"), OWN, false),
            ("the session policy does not limit what the session is given", &role, None, elsewhere(), to(s.clone(), "Allow"), OWN, true),
            ("but its Deny does", &role, None, deny(), to(s.clone(), "Allow"), OWN, false),
            ("over accounts: the identity policy alone", &role, allow(), None, None, OTHER, false),
            ("over accounts: the resource alone", &role, None, None, to(r.clone(), "Allow"), OTHER, false),
            ("over accounts: the resource names the session, the role may nothing", &role, None, None, to(s, "Allow"), OTHER, false),
            ("over accounts: both", &role, allow(), None, to(r.clone(), "Allow"), OTHER, true),
            ("over accounts: both, by account", &role, allow(), None, to(root, "Allow"), OTHER, true),
            ("over accounts: both, but the session may not", &role, allow(), elsewhere(), to(r, "Allow"), OTHER, false),
            ("nobody in particular, and no policy", &Principal::Anonymous, None, None, None, OWN, false),
            ("nobody in particular, and everyone may", &Principal::Anonymous, None, None, to(json!("*"), "Allow"), OWN, true),
        ] {
            assert_eq!(verdict(principal, identity, session, resource, account), expected, "{sentence}");
        }
    }
}
