//! Organizations, for operators: made, listed, deleted when they are empty (SPEC C5).

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;

use super::body::{self, MAX_BODY};
use super::openapi::organizations as described;
use super::params::Params;
use super::routes::Routes;
use super::{Answer, Shared, answer, audit, require};
use crate::model::{Caller, Error, OrgId, Organization, Role, Timestamp};

pub fn routes() -> Routes {
    Routes::new("organizations")
        .get("/organizations", list, described::list())
        .post("/organizations", create, described::create())
        .get("/organizations/{organization}", fetch, described::fetch())
        .delete("/organizations/{organization}", delete, described::delete())
}

#[derive(Serialize)]
struct Shown<'a> {
    organization: &'a OrgId,
    description: &'a str,
    created_at: Timestamp,
}

impl<'a> From<&'a Organization> for Shown<'a> {
    fn from(organization: &'a Organization) -> Self {
        Self { organization: &organization.id, description: &organization.description, created_at: organization.created_at }
    }
}

/// A name that is none belongs to nobody.
fn named(organization: String) -> Result<OrgId, Error> {
    OrgId::new(organization).map_err(|_| Error::not_found("organization_not_found", "there is no such organization"))
}

async fn list(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    require(&caller, Role::Operator)?;
    let mut params = Params::of(&uri)?;
    let paging = gateway.paging(&caller, &mut params, "organizations")?;
    params.finish()?;
    let found = gateway.app.tokens.list_organizations(paging.after.as_deref(), paging.limit + 1).await?;
    Ok(paging.answer(found, |found| found.id.to_string(), |found| serde_json::to_value(Shown::from(found)).unwrap_or_default()))
}

/// `{organization, description?}`
async fn create(State(gateway): Shared, caller: Caller, request: Request) -> Answer {
    require(&caller, Role::Operator)?;
    let headers = request.headers().clone();
    let body::Json { mut fields, bytes } = body::read(request, MAX_BODY).await?;
    let organization = OrgId::new(fields.required_text("organization"));
    if let Err(error) = &organization
        && !fields.has_wrong("/organization")
    {
        fields.wrong("organization", error.message());
    }
    let description = fields.text("description").unwrap_or_default();
    fields.finish()?;
    let organization = organization?;
    if gateway.idempotency.ticket(&caller.org, "organizations", &headers, &bytes).await?.repeated
        && let Ok(made) = gateway.app.tokens.organization(&organization).await
    {
        return Ok(answer::json(StatusCode::CREATED, &Shown::from(&made)));
    }
    let creating = gateway.clone();
    let made = gateway
        .changing(async move {
            let made = creating.app.tokens.create_organization(organization, description).await?;
            let changed = audit::organization(&caller, "create", &made);
            Ok((made, Some(changed)))
        })
        .await?;
    Ok(answer::json(StatusCode::CREATED, &Shown::from(&made)))
}

async fn fetch(State(gateway): Shared, caller: Caller, Path(organization): Path<String>) -> Answer {
    require(&caller, Role::Operator)?;
    Ok(answer::json(StatusCode::OK, &Shown::from(&gateway.app.tokens.organization(&named(organization)?).await?)))
}

/// Answers with what was deleted.
async fn delete(State(gateway): Shared, caller: Caller, Path(organization): Path<String>) -> Answer {
    require(&caller, Role::Operator)?;
    let organization = named(organization)?;
    if organization == caller.org {
        return Err(Error::conflict("own_organization", "the token that asks belongs to this organization")
            .with_remedy("Ask with an operator's token of another organization.")
            .into());
    }
    let deleting = gateway.clone();
    let deleted = gateway
        .changing(async move {
            let deleted = deleting.app.delete_organization(&organization).await?;
            let changed = audit::organization(&caller, "delete", &deleted);
            Ok((deleted, Some(changed)))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, &Shown::from(&deleted)))
}
