//! How a customer lets the gateway in: a permission policy, a trust policy, and the role that joins them. Ready to paste.

use portcullis_plugin::aws::policy::{self, Statement};
use portcullis_plugin::{Document, Error, Principal, SetupStep};

use crate::plan::{Scope, Settings};

pub(crate) fn steps(settings: &Settings, principal: &Principal, external_id: &str) -> Result<Vec<SetupStep>, Error> {
    let (platform, role) = (&principal.platform_name, settings.role()?);
    let about_trust = format!(
        "In IAM, create a role with a custom trust policy. Its principal is {platform}'s role {} in account {}; the external id {external_id} belongs to \
         this connection alone, and the role must require it.",
        principal.role_arn, principal.account_id
    );
    let last = match role.is_placeholder() {
        true => SetupStep::new("Enter the role's ARN", "Copy the new role's ARN into the connection, then test it.", Vec::new()),
        false => SetupStep::new("Test the connection", format!("The role is {}. Test the connection once it is there.", settings.iam_role_arn), Vec::new()),
    };
    Ok(vec![
        SetupStep::new("Create a permission policy", about_permissions(settings)?, vec![permission_policy(settings, role.partition)?]),
        SetupStep::new("Create a role that trusts the gateway", about_trust, vec![policy::trust(principal, external_id)]),
        SetupStep::new("Attach the policy to the role", "Attach the permission policy of the first step, and nothing else, to the role.", Vec::new()),
        last,
    ])
}

fn about_permissions(settings: &Settings) -> Result<String, Error> {
    Ok(match settings.scope {
        Scope::S3 => format!("In IAM, create a policy. It allows to list bucket {} and to read its objects, nothing else.", settings.bucket()?),
        Scope::Bedrock => "In IAM, create a policy. It allows to call foundation models, nothing else.".to_owned(),
    })
}

fn permission_policy(settings: &Settings, partition: &str) -> Result<Document, Error> {
    Ok(match settings.scope {
        Scope::S3 => policy::document("Permission policy", &policy::read_bucket(partition, settings.bucket()?)),
        Scope::Bedrock => {
            let models = format!("arn:{partition}:bedrock:*::foundation-model/*");
            policy::document("Permission policy", &[Statement::allow("InvokeModels", "bedrock:InvokeModel").on(models)])
        }
    })
}
