//! Which policy a denial of AWS names. Its words are those of IAM ("Troubleshoot access denied error messages" in the IAM User Guide);
//! they become one cause, and nothing of the remote's own text is passed on.
//!
//! AWS names the policy where both sides are in one account or organization. Elsewhere it says "Access Denied", and no more is known.

/// A stable name, what AWS said in our words, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denial {
    pub cause: &'static str,
    pub words: &'static str,
    pub remedy: &'static str,
}

const fn denial(cause: &'static str, words: &'static str, remedy: &'static str) -> Denial {
    Denial { cause, words, remedy }
}

const KEY_POLICY: Denial = denial(
    "kms_key_policy_denies",
    "the policy of the object's KMS key does not allow kms:Decrypt",
    "Let the key's policy allow kms:Decrypt to the role (KMS, Customer managed keys, the key, Key policy).",
);
const KEY_ELSEWHERE: Denial = denial(
    "kms_key_not_accessible",
    "the object's KMS key is not there, is in another region, or may not be used",
    "Look at, in this order: the key's policy (kms:Decrypt for the role; a key of another account needs it in its policy and in the role's); whether the key is still there.",
);
const DECRYPT: Denial =
    denial("kms_decrypt_denied", "the role may not use the object's KMS key (kms:Decrypt)", "Allow kms:Decrypt on the key in the role's permissions.");

/// In this order: an explicit deny, or a policy of the organization, wins over what merely does not allow.
const WORDS: [(&str, Denial); 10] = [
    (
        "service control policy",
        denial(
            "denied_by_service_control_policy",
            "a service control policy of the organization denies it",
            "Ask the administrator of the AWS organization: nothing in the account itself can allow what a service control policy (SCP) denies.",
        ),
    ),
    (
        "resource control policy",
        denial(
            "denied_by_resource_control_policy",
            "a resource control policy of the organization denies it",
            "Ask the administrator of the AWS organization to except the role from the resource control policy (RCP); a data perimeter often is one.",
        ),
    ),
    (
        "VPC endpoint policy",
        denial(
            "denied_by_vpc_endpoint_policy",
            "the policy of the VPC endpoint that the request came through does not allow it",
            "An operator of the gateway lets its VPC endpoint for S3 reach this bucket; the customer has nothing to change.",
        ),
    ),
    (
        "permissions boundary",
        denial(
            "denied_by_permissions_boundary",
            "the role's permissions boundary does not allow it",
            "Let the role's permissions boundary allow it, too (IAM, Roles, the role, Permissions boundary).",
        ),
    ),
    (
        "session policy",
        denial(
            "denied_by_session_policy",
            "the session's policy does not allow it: the gateway allows itself the connection's own bucket and prefix only",
            "Read inside the connection's bucket and prefix, or change what the connection is for.",
        ),
    ),
    (
        "explicit deny in an identity-based policy",
        denial(
            "denied_by_identity_policy",
            "a policy of the role denies it",
            "Find the statement with Effect Deny in the role's policies, and except this bucket from it.",
        ),
    ),
    (
        "explicit deny in a resource-based policy",
        denial(
            "denied_by_bucket_policy",
            "the bucket's policy denies it",
            "Find the statement with Effect Deny in the bucket's policy (S3, the bucket, Permissions): it may want TLS, an address, a VPC or a tag. Except the role from it.",
        ),
    ),
    (
        "BlockPublicAccess",
        denial(
            "blocked_by_block_public_access",
            "the bucket's policy is public, and Block Public Access ignores it",
            "Let the bucket's policy name the gateway's role, not everyone.",
        ),
    ),
    (
        "no resource-based policy allows",
        denial("bucket_policy_does_not_allow", "the bucket's policy does not allow it", "Add the statements that the setup shows to the bucket's policy."),
    ),
    (
        "no identity-based policy allows",
        denial(
            "identity_policy_does_not_allow",
            "no policy of the role allows it",
            "Attach the permission policy that the setup shows to the role: s3:ListBucket on the bucket, s3:GetObject on its objects (its ARN with /*).",
        ),
    ),
];

/// Of S3.
pub(super) fn of_s3(message: &str) -> Option<Denial> {
    if message.contains("perform: kms:") {
        return Some(if message.contains("resource-based policy") { KEY_POLICY } else { DECRYPT });
    }
    if message.contains("ciphertext refers to a customer master key") {
        return Some(KEY_ELSEWHERE);
    }
    named(message)
}

/// Of STS: whether it is the caller, the gateway's own role, that may not. A trust policy that does not let it in is never named here.
pub(super) fn of_caller(message: &str) -> Option<Denial> {
    if message.contains("trust policy") || message.contains("resource-based policy") { None } else { named(message) }
}

fn named(message: &str) -> Option<Denial> {
    WORDS.iter().find(|(words, _)| message.contains(words)).map(|(_, denial)| *denial)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// As AWS writes it.
    fn said(action: &str, why: &str) -> String {
        format!("User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: {action} on resource: \"arn:aws:s3:::b/k\" {why}")
    }

    #[test]
    fn b06_each_policy_that_aws_names_has_its_cause() {
        for (why, cause) in [
            ("with an explicit deny in a service control policy", "denied_by_service_control_policy"),
            ("because no service control policy allows the s3:GetObject action", "denied_by_service_control_policy"),
            ("with an explicit deny in a resource control policy", "denied_by_resource_control_policy"),
            ("because no VPC endpoint policy allows the s3:GetObject action", "denied_by_vpc_endpoint_policy"),
            ("with an explicit deny in a permissions boundary", "denied_by_permissions_boundary"),
            ("because no permissions boundary allows the s3:GetObject action", "denied_by_permissions_boundary"),
            ("because no session policy allows the s3:GetObject action", "denied_by_session_policy"),
            ("with an explicit deny in an identity-based policy", "denied_by_identity_policy"),
            ("with an explicit deny in a resource-based policy", "denied_by_bucket_policy"),
            (
                "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access (BlockPublicAccess)",
                "blocked_by_block_public_access",
            ),
            ("because no resource-based policy allows the s3:GetObject action", "bucket_policy_does_not_allow"),
            ("because no identity-based policy allows the s3:GetObject action", "identity_policy_does_not_allow"),
        ] {
            assert_eq!(of_s3(&said("s3:GetObject", why)).expect(why).cause, cause);
        }
        assert_eq!(of_s3("Access Denied"), None, "the other side is in another account: AWS does not say");
        let causes: BTreeSet<&str> = WORDS.iter().map(|(_, denial)| denial.cause).chain([KEY_POLICY.cause, KEY_ELSEWHERE.cause, DECRYPT.cause]).collect();
        assert_eq!(causes.len(), WORDS.len() + 3, "no two share one");
    }

    #[test]
    fn b06_a_key_is_told_apart_from_the_object_under_it() {
        let key = |why: &str| of_s3(&said("kms:Decrypt", why)).expect(why).cause;
        assert_eq!(key("because no identity-based policy allows the kms:Decrypt action"), "kms_decrypt_denied");
        assert_eq!(key("because no resource-based policy allows the kms:Decrypt action"), "kms_key_policy_denies");
        let old = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
        assert_eq!(of_s3(old).expect("known").cause, "kms_key_not_accessible");
    }

    #[test]
    fn l05_a_trust_policy_is_the_customers_and_everything_else_the_operators() {
        let role = |why: &str| of_caller(&said("sts:AssumeRole", why)).map(|denial| denial.cause);
        assert_eq!(role(""), None);
        assert_eq!(role("because no role trust policy allows the sts:AssumeRole action"), None);
        assert_eq!(role("because no resource-based policy allows the sts:AssumeRole action"), None);
        assert_eq!(role("because no identity-based policy allows the sts:AssumeRole action"), Some("identity_policy_does_not_allow"));
        assert_eq!(role("with an explicit deny in a service control policy"), Some("denied_by_service_control_policy"));
    }
}
