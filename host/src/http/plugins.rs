//! Plugins: everybody sees which there are and what they may do; an operator of the gateway installs, grants, activates and removes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::body::{self, MAX_BODY};
use super::fields::Fields;
use super::openapi::plugins as described;
use super::params::Params;
use super::routes::Routes;
use super::{Answer, Gateway, Shared, answer, audit, require};
use crate::model::{Caller, Capability, Description, Digest, Error, FieldError, OrgId, Role, Timestamp, TokenId};
use crate::plugins::{Connector, Difference, Entry, Powers, Uploaded, Version};
use crate::runtime::{MAX_COMPONENT, Suspension};

/// Of one plugin that are listed.
const MAX_SUSPENSIONS: usize = 100;

pub fn routes() -> Routes {
    Routes::new("plugins")
        .get("/plugins", list, described::list())
        .post("/plugins", upload, described::upload())
        .get("/plugins/{id}", inspect, described::inspect())
        .delete("/plugins/{id}", remove, described::remove())
        .post("/plugins/{id}/grant", grant, described::grant())
        .post("/plugins/{id}/activate", activate, described::activate())
        .delete("/plugins/{id}/versions/{digest}", remove_version, described::remove_version())
}

/// One version of an installed plugin. Who did what is for operators.
#[derive(Serialize)]
struct ShownVersion<'a> {
    digest: Digest,
    version: &'a str,
    title: &'a str,
    size: u64,
    /// `pending`, `active`, `granted` or `broken`.
    state: crate::plugins::State,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    /// Read from its imports.
    imports: &'a BTreeSet<Capability>,
    egress: &'a BTreeSet<String>,
    uploaded_at: Timestamp,
    granted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_by: Option<TokenId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_by: Option<TokenId>,
}

/// The plugin that new connections use, with what an operator needs to judge it.
#[derive(Serialize)]
struct Inspected<'a> {
    #[serde(flatten)]
    description: &'a Description,
    digest: Digest,
    /// What its component imports, and what of that it was granted: one that imports more is not loaded at all.
    imports: &'a BTreeSet<Capability>,
    granted: &'a BTreeSet<Capability>,
}

#[derive(Serialize)]
struct Offered<'a> {
    id: &'a str,
    #[serde(flatten)]
    version: ShownVersion<'a>,
    summary: &'a str,
    source_schemes: &'a [String],
    settings: &'a Value,
    /// From the active version to this one.
    change: Option<&'a Difference>,
    /// Whether it needs a grant before it can be activated.
    grant_required: bool,
}

fn shown<'a>(version: &'a Version, caller: &Caller) -> ShownVersion<'a> {
    let operator = caller.role >= Role::Operator;
    ShownVersion {
        digest: version.digest,
        version: &version.version,
        title: &version.title,
        size: version.size,
        state: version.state,
        fault: version.fault.as_deref(),
        imports: &version.powers.capabilities,
        egress: &version.powers.egress,
        uploaded_at: version.uploaded.at,
        granted_at: version.granted.as_ref().map(|stamp| stamp.at),
        uploaded_by: operator.then_some(version.uploaded.by),
        granted_by: version.granted.as_ref().filter(|_| operator).map(|stamp| stamp.by),
    }
}

fn inspected(connector: &Connector) -> Value {
    let plugin = &connector.plugin;
    let shown = Inspected { description: plugin.description(), digest: plugin.digest(), imports: plugin.imports(), granted: plugin.imports() };
    serde_json::to_value(shown).unwrap_or_default()
}

/// That a plugin is left alone because it kept failing: of the caller's organization, or, for an operator, of each.
#[derive(Serialize)]
struct Suspended {
    organization: OrgId,
    digest: Digest,
    since: Timestamp,
    /// From then on the next call tries it.
    until: Timestamp,
    /// The last fault's.
    code: String,
}

/// Breakers run on a clock that nobody sets; `now` is the one that people read.
fn suspensions(entry: &Entry, caller: &Caller, now: Timestamp) -> Vec<Suspended> {
    let moment = Instant::now();
    let own = |org: &OrgId| caller.role >= Role::Operator || *org == caller.org;
    let found = entry.running.iter().flat_map(|connector| connector.plugin.suspensions(moment)).filter(|found| own(&found.org)).take(MAX_SUSPENSIONS);
    let suspended = found.map(|Suspension { plugin, org, since, until, code }| Suspended {
        organization: org,
        digest: plugin,
        since: now.minus(moment.saturating_duration_since(since)),
        until: now.plus(until.saturating_duration_since(moment)),
        code,
    });
    suspended.collect()
}

fn entry(entry: &Entry, caller: &Caller, now: Timestamp) -> Value {
    let mut value = match (&entry.active, entry.versions.first()) {
        (Some(connector), _) => inspected(connector),
        (None, Some(version)) => json!({"id": entry.id, "title": version.title, "version": version.version, "digest": version.digest}),
        (None, None) => json!({"id": entry.id}),
    };
    let state = match (&entry.active, entry.versions.iter().any(|version| version.granted.is_some())) {
        (Some(_), _) => "active",
        (None, true) => "broken",
        (None, false) => "pending",
    };
    if let Some(fields) = value.as_object_mut() {
        let versions = entry.versions.iter().map(|version| serde_json::to_value(shown(version, caller)).unwrap_or_default()).collect();
        fields.insert("origin".to_owned(), json!(if entry.built_in { "built_in" } else { "installed" }));
        fields.insert("state".to_owned(), json!(state));
        fields.insert("versions".to_owned(), versions);
        fields.insert("suspensions".to_owned(), json!(suspensions(entry, caller, now)));
    }
    value
}

async fn list(State(gateway): Shared, caller: Caller, uri: Uri) -> Answer {
    let mut params = Params::of(&uri)?;
    let paging = gateway.paging(&caller, &mut params, "plugins")?;
    params.finish()?;
    let entries = gateway.app.plugins.entries().into_iter();
    let found = entries.filter(|entry| paging.after.as_ref().is_none_or(|after| entry.id > *after)).take(paging.limit + 1).collect();
    Ok(paging.answer(found, |entry| entry.id.clone(), |found| entry(found, &caller, (gateway.app.clock)())))
}

async fn inspect(State(gateway): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(answer::json(StatusCode::OK, &entry(&gateway.app.plugins.entry(&id)?, &caller, (gateway.app.clock)())))
}

/// The body is the component. 201 with what it asks for; 200 when these bytes were there already.
async fn upload(State(gateway): Shared, caller: Caller, request: Request) -> Answer {
    require(&caller, Role::Operator)?;
    let _place = gateway.app.plugins.upload_place()?;
    let wasm = body::read_component(request, MAX_COMPONENT).await?;
    let (uploading, by) = (gateway.clone(), caller.clone());
    let uploaded = gateway.changing(async move {
        let uploaded = uploading.app.plugins.upload(&by, wasm).await?;
        let changed = audit::plugin(&by, "upload", &uploaded.description.id, None, Some(uploaded.version.digest), Vec::new());
        let changed = uploaded.new.then_some(changed);
        Ok((uploaded, changed))
    });
    let Uploaded { description, version, difference, new } = uploaded.await?;
    let offered = Offered {
        id: &description.id,
        summary: &description.summary,
        source_schemes: &description.source_schemes,
        settings: &description.settings,
        change: difference.as_ref(),
        grant_required: version.granted.is_none() && difference.as_ref().is_none_or(|difference| !difference.new.is_empty()),
        version: shown(&version, &caller),
    };
    Ok(answer::json(if new { StatusCode::CREATED } else { StatusCode::OK }, &offered))
}

/// `{digest, capabilities, egress}`: exactly what that version asks for. It becomes the active one.
async fn grant(State(gateway): Shared, caller: Caller, Path(id): Path<String>, request: Request) -> Answer {
    require(&caller, Role::Operator)?;
    let mut fields = body::read(request, MAX_BODY).await?.fields;
    let digest = digest(&mut fields);
    fields.require("capabilities");
    fields.require("egress");
    let (capabilities, egress) = (strings(&mut fields, "capabilities"), strings(&mut fields, "egress"));
    fields.finish()?;
    let mut wrong = Vec::new();
    let known = |(index, word): (usize, &String)| match serde_json::from_value::<Capability>(json!(word)) {
        Ok(capability) => Some(capability),
        Err(_) => {
            wrong.push(FieldError::new(format!("/capabilities/{index}"), "is aws, http or wasi"));
            None
        }
    };
    let powers = Powers { capabilities: capabilities.iter().enumerate().filter_map(known).collect(), egress: egress.into_iter().collect() };
    let Some(digest) = digest.filter(|_| wrong.is_empty()) else { return Err(Error::fields(wrong).into()) };
    let (granting, by) = (gateway.clone(), caller.clone());
    let granted = gateway.changing(async move {
        let before = active(&granting, &id);
        let version = granting.app.plugins.grant(&by, &id, digest, powers).await?;
        let changed = audit::plugin(&by, "grant", &id, before, Some(digest), version.powers.words());
        Ok((version, Some(changed)))
    });
    let version = granted.await?;
    Ok(answer::json(StatusCode::OK, &shown(&version, &caller)))
}

/// `{digest}`: a version that was granted before, or one that asks for no more than the active one has.
async fn activate(State(gateway): Shared, caller: Caller, Path(id): Path<String>, request: Request) -> Answer {
    require(&caller, Role::Operator)?;
    let mut fields = body::read(request, MAX_BODY).await?.fields;
    let digest = digest(&mut fields);
    fields.finish()?;
    let Some(digest) = digest else { return Err(Error::field("/digest", "is required").into()) };
    let (activating, by) = (gateway.clone(), caller.clone());
    let activated = gateway.changing(async move {
        let before = active(&activating, &id);
        let version = activating.app.plugins.activate(&by, &id, digest).await?;
        let changed = audit::plugin(&by, "activate", &id, before, Some(digest), version.powers.words());
        Ok((version, Some(changed)))
    });
    let version = activated.await?;
    Ok(answer::json(StatusCode::OK, &shown(&version, &caller)))
}

/// All versions. Answers with what was there.
async fn remove(State(gateway): Shared, caller: Caller, Path(id): Path<String>) -> Answer {
    require(&caller, Role::Operator)?;
    let before = gateway.app.plugins.entry(&id)?;
    removed(&gateway, &caller, &id, None).await?;
    Ok(answer::json(StatusCode::OK, &entry(&before, &caller, (gateway.app.clock)())))
}

/// One version. Answers with what is left.
async fn remove_version(State(gateway): Shared, caller: Caller, Path((id, digest)): Path<(String, String)>) -> Answer {
    require(&caller, Role::Operator)?;
    let digest = Digest::try_from(digest)?;
    let before = gateway.app.plugins.entry(&id)?;
    removed(&gateway, &caller, &id, Some(digest)).await?;
    let left = gateway.app.plugins.entry(&id).unwrap_or(Entry { active: None, versions: Vec::new(), running: Vec::new(), ..before });
    Ok(answer::json(StatusCode::OK, &entry(&left, &caller, (gateway.app.clock)())))
}

/// One version, or all of them.
async fn removed(gateway: &Arc<Gateway>, caller: &Caller, id: &str, digest: Option<Digest>) -> Result<(), Error> {
    let (removing, by, id) = (gateway.clone(), caller.clone(), id.to_owned());
    let removed = gateway.changing(async move {
        let before = digest.or_else(|| active(&removing, &id));
        removing.app.connections.remove_plugin(&by, &id, digest).await?;
        Ok(((), Some(audit::plugin(&by, "remove", &id, before, None, Vec::new()))))
    });
    removed.await
}

fn active(gateway: &Gateway, id: &str) -> Option<Digest> {
    gateway.app.plugins.entry(id).ok()?.active.map(|connector| connector.plugin.digest())
}

/// `None`: it is wrong, and `fields` knows.
pub(super) fn digest(fields: &mut Fields) -> Option<Digest> {
    let text = fields.required_text("digest");
    if text.is_empty() {
        return None;
    }
    let digest = Digest::try_from(text).ok();
    if digest.is_none() {
        fields.wrong("digest", "is 'sha256:' and 64 hex digits");
    }
    digest
}

fn strings(fields: &mut Fields, name: &str) -> Vec<String> {
    let list = fields.list(name).unwrap_or_default();
    let strings: Vec<String> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if strings.len() != list.len() || list.len() > 64 {
        fields.wrong(name, "is a list of at most 64 strings");
    }
    strings
}
