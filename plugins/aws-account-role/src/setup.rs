//! How a customer lets the gateway in: a role of the agreed name, its trust policy, and what it may read. Ready to paste.

use portcullis_plugin::aws::{RoleArn, policy};
use portcullis_plugin::{Error, Principal, SetupStep};

use crate::plan::Settings;

pub(crate) fn steps(settings: &Settings, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>, Error> {
    let arn = settings.role_arn()?;
    let role = RoleArn::parse(&arn).map_err(|message| Error::invalid("invalid_account_id", message))?;
    let create = format!(
        "In IAM of account {}, create a role with the name {}, exactly, and this custom trust policy. Its principal is {}'s role {}; the external id \
         {external_id} belongs to this connection alone, and the role must require it.",
        role.account, role.name, principal.platform_name, principal.role_arn
    );
    let permit = match settings.bucket_name.as_deref() {
        Some(bucket) => {
            let text = format!("Attach this policy to the role {}. It allows to list bucket {bucket} and to read its objects, nothing else.", role.name);
            SetupStep::new("Let the role read", text, vec![policy::document("Permission policy", &policy::read_bucket(role.partition, bucket))])
        }
        // A policy names its bucket: there is nothing to paste for one that nobody named.
        None => {
            let text = "Name a bucket where you ask for these steps, for each bucket that is to be read: each gets a policy of its own.";
            SetupStep::new("Let the role read", text, Vec::new())
        }
    };
    let test = "Test the connection once the role is there, with the source path of an object in the bucket.";
    Ok(vec![
        SetupStep::new("Create the role", create, vec![policy::trust(principal, external_id)]),
        permit,
        SetupStep::new("Test the connection", test, Vec::new()),
    ])
}
