//! The audit log: an operator sees all of it, an admin what is the organization's. And how each change comes into it.

use std::future::Future;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use serde_json::Value;

use super::openapi::audit as described;
use super::params::{Params, wrong};
use super::routes::Routes;
use super::{Answer, Gateway, Shared, require};
use crate::audit::{Changed, Filter, Page};
use crate::model::{Actor, Asker, Caller, Connection, Dataset, Digest, Error, OrgId, Organization, Result, Role, TokenRecord};
use crate::runtime::sha256;

/// Of uses, of changes, and of the log itself.
pub const VERBS: [&str; 21] = [
    "fetch", "ingest", "test", "list", "probe", "session", "create", "change", "move", "delete", "revoke", "upload", "grant", "activate", "remove", "started",
    "stopped", "repaired", "damaged", "resumed", "dropped",
];

pub fn routes() -> Routes {
    Routes::new("audit").get("/audit", list, described::list())
}

/// `?connection=&actor=&verb=&since=&limit=&cursor=`
async fn list(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    require(&caller, Role::Admin)?;
    let mut params = Params::of(&uri)?;
    let (connection, actor, verb, since) = (params.take("connection"), params.take("actor"), params.take("verb"), params.take("since"));
    let paging = gateway.paging(&caller, &mut params, &format!("audit\0{connection:?}\0{actor:?}\0{verb:?}\0{since:?}"))?;
    params.finish()?;
    if verb.as_ref().is_some_and(|verb| !VERBS.contains(&&**verb)) {
        return Err(wrong(format!("'verb' is one of {}", VERBS.join(", "))).into());
    }
    let actor = actor.map(|actor| actor.parse::<Actor>()).transpose().map_err(|error| wrong(format!("'actor': {}", error.message())))?;
    let since = since.map(|since| serde_json::from_value(Value::from(&*since)).map_err(|_| wrong("'since' is a time as 2030-01-31T00:00:00Z")));
    // An id may be that of a connection that is gone.
    let connection = match connection {
        None => None,
        Some(name_or_id) => match name_or_id.parse() {
            Ok(id) => Some(id),
            Err(_) => Some(gateway.app.connections.get(&caller.org, &name_or_id).await?.id),
        },
    };
    let org = (caller.role < Role::Operator).then(|| caller.org.clone());
    let filter = Filter { org, connection, actor, verb: verb.map(std::borrow::Cow::into_owned), since: since.transpose()? };
    let before = paging.after.as_deref().and_then(|after| after.parse().ok());
    let Page { lines, next } = gateway.app.audit.page(&caller.org, filter, before, paging.limit).await?;
    Ok(paging.page(lines, next.map(|next| next.to_string())))
}

impl Gateway {
    /// Does `work`, and writes into the audit log what it changed: both, even if the client goes away. Nothing is changed while the log
    /// cannot be written.
    pub async fn changing<T: Send + 'static>(self: &Arc<Self>, work: impl Future<Output = Result<(T, Option<Changed>)>> + Send + 'static) -> Result<T> {
        self.app.audit.uses.ready()?;
        let gateway = Arc::clone(self);
        let whole = tokio::spawn(async move {
            let (done, changed) = work.await?;
            if let Some(changed) = changed {
                gateway.app.audit.change(changed).await?;
            }
            Ok(done)
        });
        whole.await.map_err(|error| Error::internal("change_broke_off", "a change broke off").with_source(error))?
    }
}

fn digest_of(record: &impl Serialize) -> Option<Digest> {
    serde_json::to_vec(record).ok().map(|bytes| sha256(&bytes))
}

/// `before`: as it was read; told only where `after` is the very next version.
pub fn connection(caller: &Caller, verb: &'static str, before: Option<&Connection>, after: Option<&Connection>) -> Option<Changed> {
    let shown = after.or(before)?;
    let before = before.filter(|before| after.is_none_or(|after| after.version == before.version + 1));
    Some(Changed {
        org: Some(shown.org.clone()),
        connection: Some(shown.id),
        name: Some(shown.name.to_string()),
        before: before.and_then(digest_of),
        after: after.and_then(digest_of),
        ..changed(caller, verb, "connection", shown.id.to_string())
    })
}

/// Made or, if `verb` is `revoke`, ended.
pub fn token(caller: &Caller, verb: &'static str, record: &TokenRecord) -> Changed {
    let (org, name, digest) = (Some(record.org.clone()), Some(record.name.clone()), digest_of(record));
    let (before, after) = if verb == "revoke" { (digest, None) } else { (None, digest) };
    Changed { org, name, before, after, ..changed(caller, verb, "token", record.id.to_string()) }
}

pub fn organization(caller: &Caller, verb: &'static str, record: &Organization) -> Changed {
    Changed { after: digest_of(record), ..changed(caller, verb, "organization", record.id.to_string()) }
}

/// Its default connection was set, or taken away: then no record is left.
pub fn dataset(caller: &Caller, record: &Dataset) -> Changed {
    let (org, connection) = (Some(caller.org.clone()), record.default_connection);
    Changed { org, connection, after: connection.and_then(|_| digest_of(record)), ..changed(caller, "change", "dataset", record.id.to_string()) }
}

pub fn plugin(caller: &Caller, verb: &'static str, id: &str, before: Option<Digest>, after: Option<Digest>, powers: Vec<String>) -> Changed {
    Changed { before, after, powers, ..changed(caller, verb, "plugin", id.to_owned()) }
}

fn changed(caller: &Caller, verb: &'static str, subject: &'static str, id: String) -> Changed {
    let Asker { actor, .. } = caller.into();
    let org: Option<OrgId> = None;
    Changed { org, actor, verb, subject, id, connection: None, name: None, before: None, after: None, powers: Vec::new() }
}
