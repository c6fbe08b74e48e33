//! Connections: `/connections`, the same under `/api/v1` and `/api/v0` (SPEC C16).

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer;
use super::audit;
use super::body::{self, MAX_BODY};
use super::connectors::Connector;
use super::openapi::connections as described;
use super::params::{Params, wrong};
use super::precondition::{Seen, tagged};
use super::routes::Routes;
use super::signed;
use super::{Answer, Shared, require};
use crate::connections::{Change, Filter, Listed, Move, NewConnection, is_default};
use crate::model::{Caller, Connection, ConnectionId, ConnectionName, ConnectionState, Digest, Error, ExternalId, Finding, Kind, LastTest, Role, Timestamp};
use crate::plugins::immutable_external_id;

pub const MAX_TOKEN: usize = 4096;

pub fn routes() -> Routes {
    Routes::new("connections")
        .get("/connections", list, described::list())
        .post("/connections", create, described::create())
        .get("/connections/{name_or_id}", fetch, described::fetch())
        .patch("/connections/{name_or_id}", change, described::change())
        .delete("/connections/{name_or_id}", delete, described::delete())
        .post("/connections/{name_or_id}/test", test, described::test())
        .post("/connections/{name_or_id}/plugin", move_to, described::move_to())
        .post("/connections/{name_or_id}/list", browse, described::browse())
        .post("/connections/{name_or_id}/sign", signed::sign, described::sign())
        .get("/connections/{name_or_id}/setup", setup, described::setup())
        .get("/connections/{name_or_id}/connector", connector, described::connector())
}

/// A connection as callers see it (SPEC C18). Of a secret it shows that it is set, and nothing else (C25).
#[derive(Serialize)]
struct Shown<'a> {
    connection_id: ConnectionId,
    name: &'a ConnectionName,
    description: &'a str,
    r#type: &'a str,
    /// Neither edited nor deleted (C4).
    default: bool,
    /// The version of the connector that it is pinned to.
    plugin: Digest,
    status: ConnectionState,
    enabled: bool,
    config: Map<String, Value>,
    test_location: Option<&'a str>,
    external_id: &'a ExternalId,
    revision: u64,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_test: Option<&'a LastTest>,
    last_good_at: Option<Timestamp>,
}

impl<'a> From<&'a Connection> for Shown<'a> {
    fn from(connection: &'a Connection) -> Self {
        let mut config = connection.settings.as_object().cloned().unwrap_or_default();
        config.extend(connection.secrets.keys().map(|name| (name.clone(), json!({"set": true}))));
        Self {
            connection_id: connection.id,
            name: &connection.name,
            description: &connection.description,
            r#type: &connection.connector,
            default: is_default(connection),
            plugin: connection.plugin,
            status: connection.state,
            enabled: connection.enabled,
            config,
            test_location: connection.test_location.as_deref(),
            external_id: &connection.external_id,
            revision: connection.revision,
            version: connection.version,
            created_at: connection.created_at,
            updated_at: connection.updated_at,
            last_test: connection.last_test.as_ref(),
            last_good_at: connection.last_good_at,
        }
    }
}

fn show(status: StatusCode, connection: &Connection) -> axum::response::Response {
    tagged(answer::json(status, &Shown::from(connection)), connection)
}

/// `?status=&type=&limit=&cursor=`
async fn list(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    let mut params = Params::of(&uri)?;
    let state = params.take("status").map(|text| match &*text {
        "pending" => Ok(ConnectionState::Pending),
        "ready" => Ok(ConnectionState::Ready),
        "error" => Ok(ConnectionState::Error),
        _ => Err(wrong("'status' is pending, ready or error")),
    });
    let state = state.transpose()?;
    let connector = params.take("type");
    let paging = gateway.paging(&caller, &mut params, &format!("connections\0{state:?}\0{connector:?}"))?;
    params.finish()?;
    let filter = Filter { state, connector: connector.as_deref() };
    let Listed { connections, next } = gateway.app.connections.list(&caller.org, filter, paging.after.as_deref(), paging.limit).await?;
    Ok(paging.page(connections.iter().map(Shown::from).collect(), next))
}

/// `?validate=require`: nothing is stored unless the test passes.
fn require_test(uri: &Uri) -> Result<bool, Error> {
    let mut params = Params::of(uri)?;
    let require_test = match params.take("validate").as_deref() {
        None => false,
        Some("require") => true,
        Some(_) => return Err(wrong("'validate' is 'require' or left out")),
    };
    params.finish()?;
    Ok(require_test)
}

async fn create(State(gateway): Shared, caller: Caller, request: Request) -> Answer {
    require(&caller, Role::Admin)?;
    let require_test = require_test(request.uri())?;
    let headers = request.headers().clone();
    let body::Json { mut fields, bytes } = body::read(request, MAX_BODY).await?;
    if fields.has("external_id") {
        return Err(immutable_external_id("/external_id").into());
    }
    let mut new = NewConnection {
        id: None,
        name: fields.required_text("name"),
        connector: fields.required_text("type"),
        settings: fields.object("config").unwrap_or_default(),
        test_location: fields.text("test_location"),
        description: fields.text("description").unwrap_or_default(),
        enabled: fields.flag("enabled").unwrap_or(true),
    };
    fields.finish()?;
    let ticket = gateway.idempotency.ticket(&caller.org, "connections", &headers, &bytes).await?;
    let id = ConnectionId(ticket.id);
    if ticket.repeated {
        match gateway.app.connections.get(&caller.org, &id.to_string()).await {
            Ok(made) => return Ok(show(StatusCode::CREATED, &made)),
            // What was deleted since is not made again.
            Err(error) if error.code() == "connection_not_found" => {}
            Err(error) => return Err(error.into()),
        }
    }
    new.id = Some(id);
    let creating = {
        let (gateway, caller) = (gateway.clone(), caller.clone());
        async move {
            let made = gateway.app.connections.create(&caller, new, require_test).await?;
            let changed = audit::connection(&caller, "create", None, Some(&made));
            Ok((made, changed))
        }
    };
    match gateway.changing(creating).await {
        Ok(made) => Ok(show(StatusCode::CREATED, &made)),
        // The same request at the same time was faster.
        Err(error) if error.kind() == Kind::Conflict => match gateway.app.connections.get(&caller.org, &id.to_string()).await {
            Ok(made) => Ok(show(StatusCode::CREATED, &made)),
            Err(_) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

async fn fetch(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>) -> Answer {
    Ok(show(StatusCode::OK, &gateway.app.connections.get(&caller.org, &name_or_id).await?))
}

async fn change(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>, request: Request) -> Answer {
    require(&caller, Role::Admin)?;
    let require_test = require_test(request.uri())?;
    let headers = request.headers().clone();
    let mut fields = body::read(request, MAX_BODY).await?.fields;
    if fields.has("external_id") {
        return Err(immutable_external_id("/external_id").into());
    }
    if fields.has("type") {
        return Err(Error::invalid("immutable_field", "the type of a connection cannot be changed")
            .with_fields(vec![crate::model::FieldError::new("/type", "cannot be changed")])
            .with_remedy("Create a connection of the other type.")
            .into());
    }
    let change = Change {
        name: fields.text("name"),
        description: fields.text("description"),
        test_location: fields.nullable_text("test_location"),
        settings: fields.object("config"),
        enabled: fields.flag("enabled"),
        version: fields.number("version", 1, u64::MAX),
        require_test,
    };
    fields.finish()?;
    let seen = Seen::of(&headers, change.version)?;
    let change = Change { version: seen.version, ..change };
    let changing = {
        let gateway = gateway.clone();
        async move {
            let before = gateway.app.connections.get(&caller.org, &name_or_id).await.ok();
            let after = gateway.app.connections.change(&caller, &name_or_id, change).await?;
            let changed = audit::connection(&caller, "change", before.as_ref(), Some(&after));
            Ok((after, changed))
        }
    };
    let changed = gateway.changing(changing).await.map_err(|error| seen.refusal(error))?;
    Ok(show(StatusCode::OK, &changed))
}

/// `{digest?, config?, version?}`: to another version of the connector's plugin, the active one if none is named.
async fn move_to(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>, request: Request) -> Answer {
    require(&caller, Role::Admin)?;
    let headers = request.headers().clone();
    let mut fields = body::read_optional(request, MAX_BODY).await?;
    let to = if fields.has("digest") { super::plugins::digest(&mut fields) } else { None };
    let target = Move { to, settings: fields.object("config").unwrap_or_default(), version: fields.number("version", 1, u64::MAX) };
    fields.finish()?;
    let seen = Seen::of(&headers, target.version)?;
    let target = Move { version: seen.version, ..target };
    let moving = {
        let gateway = gateway.clone();
        async move {
            let before = gateway.app.connections.get(&caller.org, &name_or_id).await.ok();
            let after = gateway.app.connections.move_to(&caller, &name_or_id, target).await?;
            // It may have been there already.
            let moved = before.as_ref().is_none_or(|before| before.version != after.version);
            let changed = audit::connection(&caller, "move", before.as_ref(), Some(&after)).filter(|_| moved);
            Ok((after, changed))
        }
    };
    let moved = gateway.changing(moving).await.map_err(|error| seen.refusal(error))?;
    Ok(show(StatusCode::OK, &moved))
}

/// Answers with what was deleted.
/// As the version that it is pinned to describes itself: what its settings are judged by.
async fn connector(State(gateway): Shared, caller: Caller, Path(name): Path<String>) -> Answer {
    let plugin = gateway.app.connections.plugin_of(&caller.org, &name).await?;
    Ok(answer::json(StatusCode::OK, &Connector::of(&plugin)))
}

async fn delete(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>, uri: Uri, headers: HeaderMap) -> Answer {
    require(&caller, Role::Admin)?;
    Params::of(&uri)?.finish()?;
    let seen = Seen::of(&headers, None)?;
    let (deleting, version) = (gateway.clone(), seen.version);
    let deleting = async move {
        let deleted = deleting.app.connections.delete(&caller.org, &name_or_id, version).await?;
        let changed = audit::connection(&caller, "delete", Some(&deleted), None);
        Ok((deleted, changed))
    };
    let deleted = gateway.changing(deleting).await.map_err(|error| seen.refusal(error))?;
    Ok(show(StatusCode::OK, &deleted))
}

#[derive(Serialize)]
struct Tested {
    status: ConnectionState,
    passed: bool,
    checks: Vec<Finding>,
}

/// SPEC C22: `{location, update_state}`, both optional.
async fn test(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>, request: Request) -> Answer {
    require(&caller, Role::Admin)?;
    let mut fields = body::read_optional(request, MAX_BODY).await?;
    let location = fields.text("location");
    let update_state = fields.flag("update_state").unwrap_or(true);
    fields.finish()?;
    let (status, checks) = gateway.app.connections.test(&caller, &name_or_id, location.as_deref(), update_state).await?;
    let passed = checks.iter().all(|check| check.passed);
    Ok(answer::json(StatusCode::OK, &Tested { status, passed, checks }))
}

/// SPEC C23: `{bucket?, prefix, max_keys, continuation_token}`.
async fn browse(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>, request: Request) -> Answer {
    let mut fields = body::read_optional(request, MAX_BODY).await?;
    let bucket = fields.text("bucket");
    let prefix = fields.text("prefix").unwrap_or_default();
    let limit = fields.number("max_keys", 1, 1000).and_then(|limit| u32::try_from(limit).ok()).unwrap_or(1000);
    let token = fields.text("continuation_token");
    if prefix.len() > MAX_TOKEN {
        fields.wrong("prefix", "is at most 4096 bytes");
    }
    if token.as_ref().is_some_and(|token| token.len() > MAX_TOKEN) {
        fields.wrong("continuation_token", "is not one that this list gave");
    }
    fields.finish()?;
    let page = gateway.app.connections.browse(&caller, &name_or_id, bucket.as_deref(), &prefix, token.as_deref(), limit).await?;
    Ok(answer::json(StatusCode::OK, &page))
}

/// `?bucket=`: for a connection that is not bound to one.
async fn setup(State(gateway): Shared, caller: Caller, Path(name_or_id): Path<String>, uri: Uri) -> Answer {
    require(&caller, Role::Admin)?;
    let mut params = Params::of(&uri)?;
    let bucket = params.take("bucket");
    params.finish()?;
    let connection = gateway.app.connections.get(&caller.org, &name_or_id).await?;
    let steps = gateway.app.connections.setup(&caller.org, &name_or_id, bucket.as_deref()).await?;
    let principal = gateway.app.connections.principal(&caller.org);
    Ok(answer::json(StatusCode::OK, &json!({"principal": principal, "external_id": connection.external_id, "steps": steps})))
}
