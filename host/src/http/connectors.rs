//! The catalogue, for whoever makes a connection: what can be connected, and with which settings.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;

use super::openapi::plugins as described;
use super::params::Params;
use super::routes::Routes;
use super::{Answer, Shared};
use crate::model::{Caller, Description, Digest};
use crate::runtime::Plugin;

#[derive(Serialize)]
pub struct Connector<'a> {
    #[serde(flatten)]
    description: &'a Description,
    digest: Digest,
}

impl<'a> Connector<'a> {
    pub fn of(plugin: &'a Plugin) -> Self {
        Self { description: plugin.description(), digest: plugin.digest() }
    }
}

pub fn routes() -> Routes {
    Routes::new("connectors").get("/connectors", list, described::connectors())
}

async fn list(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    let mut params = Params::of(&uri)?;
    let paging = gateway.paging(&caller, &mut params, "connectors")?;
    params.finish()?;
    let catalogue = gateway.app.connections.catalogue().into_iter();
    let id = |plugin: &Arc<Plugin>| plugin.description().id.clone();
    let found = catalogue.filter(|plugin| paging.after.as_ref().is_none_or(|after| id(plugin) > *after)).take(paging.limit + 1).collect();
    let show = |plugin: &Arc<Plugin>| serde_json::to_value(Connector::of(plugin)).unwrap_or_default();
    Ok(paging.answer(found, id, show))
}
