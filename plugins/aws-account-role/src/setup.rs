//! How a customer lets the gateway in: a role of the agreed name, its trust policy, and what it may read. Ready to paste.

use portcullis_plugin::aws::setup::{self, Role};
use portcullis_plugin::aws::{RoleArn, policy};
use portcullis_plugin::{Error, Principal, SetupStep};

use crate::plan::Settings;

pub(crate) fn steps(settings: &Settings, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>, Error> {
    let arn = settings.role_arn()?;
    let arn = RoleArn::parse(&arn).map_err(|message| Error::invalid("invalid_account_id", message))?;
    let role = Role { name: arn.name, path: arn.path };
    let create = format!(
        "In IAM of account {}, create a role with the name {}, exactly, and this custom trust policy. Its principal is {}'s role {}; the external id \
         {external_id} belongs to this connection alone, and the role must require it. Terraform or the AWS CLI do the same.",
        arn.account, arn.name, principal.platform_name, principal.role_arn
    );
    let permit = match settings.bucket_name.as_deref() {
        Some(bucket) => {
            let prefix = settings.prefix.as_deref();
            let below = prefix.map(|prefix| format!(", both below {prefix} only")).unwrap_or_default();
            let text =
                format!("Give the role {} this inline policy. It allows to list bucket {bucket} and to read its objects{below}, nothing else.", arn.name);
            SetupStep::new("Let the role read", text, setup::permissions(&role, &policy::read_bucket(arn.partition, bucket, prefix)))
        }
        // A policy names its bucket: there is nothing to paste for one that nobody named.
        None => {
            let text = "Name a bucket where you ask for these steps, for each bucket that is to be read: each gets a policy of its own.";
            SetupStep::new("Let the role read", text, Vec::new())
        }
    };
    let test = "Test the connection once the role is there, with the source path of an object in the bucket.";
    let mut steps = vec![
        SetupStep::new("Create the role", create, setup::role(&role, principal, external_id)),
        permit,
        SetupStep::new("Test the connection", test, Vec::new()),
    ];
    steps.extend(settings.bucket_name.as_deref().map(setup::cors));
    Ok(steps)
}
