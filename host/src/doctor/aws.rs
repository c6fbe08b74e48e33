//! Whether AWS answers, knows the gateway's credentials and lets them open the gateway's role.

use super::Finding;
use crate::app;
use crate::broker::own_identity;
use crate::config::Config;
use crate::model::Result;

const AWS: &str = "aws";

pub async fn aws(config: &Config) -> Finding {
    let Some(role) = &config.settings.platform.role_arn else {
        let seen = "platform.role_arn is not set: there are no connections to AWS";
        return Finding::warning(AWS, "aws_not_configured", seen, "Set it to the role that customers' policies shall name, or leave AWS out.");
    };
    let asked: Result<_> = async {
        // A file of certificates that cannot be read is told by `egress`.
        let Ok(fetcher) = app::operators_fetcher(config) else { return Ok(None) };
        own_identity(&app::aws(config)?, role, &fetcher, &app::clock()).await.map(Some)
    }
    .await;
    match asked {
        Ok(None) => Finding::ok(AWS, "not asked: the certificate authorities cannot be read"),
        Ok(Some(identity)) if identity.account == role.account() => Finding::ok(AWS, format!("{} opens {}", identity.arn, role.as_str())),
        Ok(Some(identity)) => Finding::warning(
            AWS,
            "another_account",
            format!("the gateway's credentials are {}, of another account than platform.role_arn", identity.arn),
            "If that is not meant, give the gateway credentials of the role's account.",
        ),
        Err(error) => Finding::failed(AWS, &error),
    }
}
