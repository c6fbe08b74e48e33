//! Who the gateway itself is to AWS, and whether its role opens: asked before it serves anybody. Nothing of a customer's is asked for, so
//! there is no permit.

use std::time::Duration;

use http::{HeaderMap, Method, header};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use super::lease::{Ask, Sts};
use super::sdk::Sdk;
use super::sts::SdkSts;
use super::{BrokerConfig, Identity, answer, session_policy};
use crate::fetch::{Fetcher, Outbound};
use crate::model::{Clock, ConnectionId, Error, Result, RoleArn};

/// AWS refuses signatures from further off.
const SKEW: Duration = Duration::from_secs(300);
const SHORTEST: u32 = 900;

/// That STS answers, that our clock agrees with it, that there are credentials and that they open `role`. The first that fails is the error.
pub async fn own_identity(config: &BrokerConfig, role: &RoleArn, fetcher: &Fetcher, clock: &Clock) -> Result<Identity> {
    reach(config, fetcher, clock).await?;
    let endpoint = config.endpoint_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let sts = SdkSts::new(Sdk::new(fetcher.extra_ca_pem(), endpoint, config.path_style)?, config.region.clone(), clock.clone());
    let identity = sts.own_identity().await?;
    let ask = Ask {
        session: None,
        role_arn: role.clone(),
        session_name: "portcullis-doctor".to_owned(),
        external_id: None,
        policy: session_policy::for_nothing()?,
        tags: vec![("organization", "doctor".to_owned())],
        duration_seconds: SHORTEST,
        region: config.region.clone(),
    };
    sts.assume_role(&ask).await?;
    Ok(identity)
}

async fn reach(config: &BrokerConfig, fetcher: &Fetcher, clock: &Clock) -> Result<()> {
    let url = match &config.endpoint_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("https://sts.{}.{}", config.region.as_str(), config.region.dns_suffix()))
            .map_err(|error| Error::internal("sts_address", "the address of STS cannot be written").with_source(error))?,
    };
    let request = Outbound {
        connection: ConnectionId(uuid::Uuid::nil()),
        method: Method::GET,
        https: url.scheme() == "https",
        host: url.host_str().unwrap_or_default().to_owned(),
        port: url.port_or_known_default().unwrap_or_default(),
        path_and_query: "/".to_owned(),
        headers: HeaderMap::new(),
    };
    // Whatever it answers: it is there, and says what time it is.
    let inbound = fetcher.send(request).await?;
    let date = inbound.headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let theirs = date.and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok());
    match theirs {
        Some(theirs) if theirs.unix_timestamp().abs_diff(clock().seconds()) > SKEW.as_secs() => Err(answer::clock_skew(date, clock(), "STS's")),
        _ => Ok(()),
    }
}
