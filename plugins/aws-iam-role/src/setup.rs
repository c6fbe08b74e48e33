//! How a customer lets the gateway in: a role that trusts it, and what that role may do. Ready to paste.

use portcullis_plugin::aws::policy::{self, Statement};
use portcullis_plugin::aws::setup::{self, Role};
use portcullis_plugin::{Error, Principal, SetupStep};

use crate::plan::{Scope, Settings};

pub(crate) fn steps(settings: &Settings, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>, Error> {
    let (platform, arn) = (&principal.platform_name, settings.role()?);
    let reserved = arn.is_placeholder();
    // A role that is only reserved gets a name here, so that there is nothing to think of.
    let name = if reserved { setup::new_role_name(principal, external_id) } else { arn.name.to_owned() };
    let role = Role { name: &name, path: if reserved { "" } else { arn.path } };
    let trust = format!(
        "In IAM, create a role named {name}, with this custom trust policy. Its principal is {platform}'s role {} in account {}; the external id {external_id} belongs \
         to this connection alone, and the role must require it. Terraform or the AWS CLI do the same.",
        principal.role_arn, principal.account_id
    );
    let (permissions, what) = permissions(settings, arn.partition)?;
    let permit =
        format!("In the role, add permissions, create an inline policy, and paste this. It allows {what}, nothing else. Attach no other policy to the role.");
    let last = match reserved {
        true => SetupStep::new("Enter the role's ARN", "Copy the new role's ARN into the connection, then test it.", Vec::new()),
        false => SetupStep::new("Test the connection", format!("The role is {}. Test the connection once it is there.", settings.iam_role_arn), Vec::new()),
    };
    let mut steps = vec![
        SetupStep::new("Create a role that trusts the gateway", trust, setup::role(&role, principal, external_id)),
        SetupStep::new("Let the role read", permit, setup::permissions(&role, &permissions)),
        last,
    ];
    if let Ok(bucket) = settings.bucket() {
        steps.push(setup::cors(bucket));
    }
    Ok(steps)
}

/// The policy's statements, and what they allow in words.
fn permissions(settings: &Settings, partition: &str) -> Result<(Vec<Statement>, String), Error> {
    Ok(match settings.scope {
        Scope::S3 => {
            let (bucket, prefix) = (settings.bucket()?, settings.prefix.as_deref());
            let below = prefix.map(|prefix| format!(", both below {prefix} only")).unwrap_or_default();
            (policy::read_bucket(partition, bucket, prefix).into(), format!("to list bucket {bucket} and to read its objects{below}"))
        }
        Scope::Bedrock => {
            let models = format!("arn:{partition}:bedrock:*::foundation-model/*");
            (vec![Statement::allow("InvokeModels", "bedrock:InvokeModel").on(models)], "to call foundation models".to_owned())
        }
    })
}
