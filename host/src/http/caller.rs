//! Who calls: exactly one `Authorization: Bearer` header, and nothing else, says so.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::Gateway;
use super::access::Notes;
use super::problem::Problem;
use crate::model::{Caller, Error, Kind};

/// The other end of the connection; put there by `listen`. What headers say of its address is not believed.
#[derive(Clone)]
pub struct Peer {
    pub address: IpAddr,
    pub notes: Notes,
}

impl FromRequestParts<Arc<Gateway>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).map_err(Problem::unauthorized)?;
        match gateway.app.tokens.check(token).await {
            Err(error) if error.kind() == Kind::Denied => match parts.extensions.get::<Peer>() {
                Some(peer) => Err(gateway.failures.note(peer.address, (gateway.app.clock)()).map_or_else(Problem::from, |()| Problem::unauthorized(error))),
                None => Err(Problem::unauthorized(error)),
            },
            outcome => {
                let caller = outcome?;
                if let Some(peer) = parts.extensions.get::<Peer>() {
                    peer.notes.caller(&caller.org);
                }
                Ok(caller)
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let refuse = |message: &str| Error::denied("unauthorized", message).with_remedy("Send one header: Authorization: Bearer <token>.");
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Err(refuse("this needs a token")) };
    if given.next().is_some() {
        return Err(refuse("there is more than one Authorization header"));
    }
    let token = value.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
    token
        .filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| refuse("the Authorization header holds no bearer token"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a03_one_bearer_token_in_one_header_or_nobody() {
        for (values, token) in [
            (vec![], None),
            (vec!["Basic YTpi"], None),
            (vec!["Bearer"], None),
            (vec!["Bearer "], None),
            (vec!["Bearer  x"], None),
            (vec!["Bearer x y"], None),
            (vec!["Bearer a", "Bearer a"], None),
            (vec!["Bearer abc"], Some("abc")),
            (vec!["bearer abc"], Some("abc")),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(bearer(&headers).ok(), token, "{values:?}");
        }
    }
}
