//! Tokens: minted once, listed without their text, revoked at once (SPEC C39).

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;

use super::body::{self, MAX_BODY};
use super::openapi::tokens as described;
use super::params::{Params, wrong};
use super::problem::Problem;
use super::routes::Routes;
use super::{Answer, Shared, answer, audit, require};
use crate::model::{Caller, Error, Kind, OrgId, Role, Timestamp, TokenId, TokenRecord};

pub fn routes() -> Routes {
    Routes::new("tokens").get("/whoami", whoami, described::whoami()).get("/tokens", list, described::list()).post("/tokens", mint, described::mint()).delete(
        "/tokens/{id}",
        revoke,
        described::revoke(),
    )
}

#[derive(Serialize)]
struct Shown<'a> {
    token_id: TokenId,
    name: &'a str,
    role: Role,
    organization: &'a OrgId,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

fn shown<'a>(record: &'a TokenRecord, token: Option<&'a str>) -> Shown<'a> {
    Shown {
        token_id: record.id,
        name: &record.name,
        role: record.role,
        organization: &record.org,
        created_at: record.created_at,
        expires_at: record.expires_at,
        token,
    }
}

/// The caller's own token, so that a client knows what it may do.
async fn whoami(State(gateway): Shared, caller: Caller) -> Answer {
    match gateway.app.tokens.own(&caller).await {
        Ok(record) => Ok(answer::json(StatusCode::OK, &shown(&record, None))),
        // Revoked since it was checked.
        Err(error) if error.kind() == Kind::Denied => Err(Problem::unauthorized(error)),
        Err(error) => Err(error.into()),
    }
}

/// `{name, role, organization?, expires_at?}`. Nobody makes a token that may do more than their own; another organization's is an operator's to make.
async fn mint(State(gateway): Shared, caller: Caller, request: Request) -> Answer {
    require(&caller, Role::Admin)?;
    let headers = request.headers().clone();
    let body::Json { mut fields, bytes } = body::read(request, MAX_BODY).await?;
    let name = fields.required_text("name");
    let role = match fields.required_text("role").as_str() {
        "member" => Some(Role::Member),
        "admin" => Some(Role::Admin),
        "operator" => Some(Role::Operator),
        "" => None,
        _ => {
            fields.wrong("role", "is member, admin or operator");
            None
        }
    };
    let org = match fields.text("organization").map(OrgId::new) {
        None => caller.org.clone(),
        Some(Ok(org)) => org,
        Some(Err(error)) => {
            fields.wrong("organization", error.message());
            caller.org.clone()
        }
    };
    let expires_at = match fields.text("expires_at").map(|text| serde_json::from_value(text.into())) {
        None => None,
        Some(Ok(moment)) => Some(moment),
        Some(Err(_)) => {
            fields.wrong("expires_at", "is a time as 2030-01-31T00:00:00Z");
            None
        }
    };
    fields.finish()?;
    let Some(role) = role else { return Err(Error::field("/role", "is required").into()) };
    require(&caller, role)?;
    if org != caller.org {
        require(&caller, Role::Operator)?;
    }
    if gateway.idempotency.ticket(&caller.org, "tokens", &headers, &bytes).await?.repeated {
        return Err(Error::conflict("token_already_made", "a token was made for this Idempotency-Key; its text was shown then and cannot be shown again")
            .with_remedy("If it was lost, revoke it and make another with a new key.")
            .into());
    }
    let minting = gateway.clone();
    let minted = gateway
        .changing(async move {
            let minted = minting.app.tokens.mint(&org, role, &name, expires_at).await?;
            let changed = audit::token(&caller, "create", &minted.record);
            Ok((minted, Some(changed)))
        })
        .await?;
    Ok(answer::json(StatusCode::CREATED, &shown(&minted.record, Some(&minted.text))))
}

/// `?organization=`: for an operator, another one than the caller's own.
fn organization(caller: &Caller, params: &mut Params<'_>) -> Result<OrgId, Error> {
    let Some(named) = params.take("organization") else { return Ok(caller.org.clone()) };
    if *named != *caller.org.as_str() {
        require(caller, Role::Operator)?;
    }
    OrgId::new(named).map_err(|error| wrong(format!("'organization': {}", error.message())))
}

/// `?organization=&limit=&cursor=`
async fn list(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    require(&caller, Role::Admin)?;
    let mut params = Params::of(&uri)?;
    let org = organization(&caller, &mut params)?;
    let paging = gateway.paging(&caller, &mut params, &format!("tokens\0{org}"))?;
    params.finish()?;
    let after = paging.after.as_deref().map(str::parse).transpose()?;
    let found = gateway.app.tokens.list(&org, after, paging.limit + 1).await?;
    Ok(paging.answer(found, |record| record.id.to_string(), |record| serde_json::to_value(shown(record, None)).unwrap_or_default()))
}

/// Answers with what was revoked. `?organization=`, as of `list`.
async fn revoke(State(gateway): Shared, caller: Caller, Path(id): Path<String>, uri: Uri) -> Answer {
    require(&caller, Role::Admin)?;
    let mut params = Params::of(&uri)?;
    let org = organization(&caller, &mut params)?;
    params.finish()?;
    let id = id.parse().map_err(|_| Error::not_found("token_not_found", "there is no such token"))?;
    let revoking = gateway.clone();
    let record = gateway
        .changing(async move {
            let record = revoking.app.tokens.revoke(&org, id).await?;
            let changed = audit::token(&caller, "revoke", &record);
            Ok((record, Some(changed)))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, &shown(&record, None)))
}
