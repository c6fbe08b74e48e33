//! The catalogue: connectors for whoever makes a connection, plugins for the operator.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;

use super::params::Params;
use super::{Answer, Gateway, Shared, answer, require};
use crate::model::{Caller, Capability, Description, Digest, Error, Role};
use crate::runtime::Plugin;

#[derive(Serialize)]
struct Connector<'a> {
    #[serde(flatten)]
    description: &'a Description,
    digest: Digest,
}

/// With what an operator needs to judge it: what its component imports, and what of that it was granted.
#[derive(Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    connector: Connector<'a>,
    imports: &'a BTreeSet<Capability>,
    granted: &'a BTreeSet<Capability>,
}

fn shown(plugin: &Plugin) -> Connector<'_> {
    Connector { description: plugin.description(), digest: plugin.digest() }
}

/// A plugin that imports what it was not granted is not loaded at all, so the two are equal here.
fn inspected(plugin: &Plugin) -> Inspected<'_> {
    Inspected { connector: shown(plugin), imports: plugin.imports(), granted: plugin.imports() }
}

fn page(gateway: &Gateway, caller: &Caller, uri: &Uri, list: &str, show: fn(&Plugin) -> serde_json::Value) -> Answer {
    let mut params = Params::of(uri)?;
    let paging = gateway.paging(caller, &mut params, list)?;
    params.finish()?;
    let catalogue = gateway.app.connections.catalogue().into_iter();
    let id = |plugin: &Arc<Plugin>| plugin.description().id.clone();
    let found = catalogue.filter(|plugin| paging.after.as_ref().is_none_or(|after| id(plugin) > *after)).take(paging.limit + 1).collect();
    Ok(paging.answer(found, id, |plugin| show(plugin)))
}

pub async fn list(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    page(&gateway, &caller, &uri, "connectors", |plugin| serde_json::to_value(shown(plugin)).unwrap_or_default())
}

pub async fn list_plugins(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    require(&caller, Role::Operator)?;
    page(&gateway, &caller, &uri, "plugins", |plugin| serde_json::to_value(inspected(plugin)).unwrap_or_default())
}

pub async fn inspect(State(gateway): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    require(&caller, Role::Operator)?;
    let plugin = gateway.app.connections.catalogue().into_iter().find(|plugin| plugin.description().id == id);
    let plugin = plugin.ok_or_else(|| Error::not_found("plugin_not_found", "there is no such plugin"))?;
    Ok(answer::json(StatusCode::OK, &inspected(&plugin)))
}
