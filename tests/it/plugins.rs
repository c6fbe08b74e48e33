//! The components that the gateway embeds, and the hostile one, in the sandbox that it runs: what was built is what was meant.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis::model::{Capability, Connection, ConnectionId, ConnectionName, Credential, Error, ExternalId, Kind, OrgId, Plan, Principal, Target, Timestamp};
use portcullis::policy::{AddressPolicy, Grant};
use portcullis::runtime::{Compiler, Limits, Plugin, Runtime, RuntimeConfig};
use serde_json::{Value, json};

/// `target/components`, beside the profile's folder that this test runs from.
fn component(id: &str) -> Vec<u8> {
    let test = std::env::current_exe().expect("the test's own path");
    let target: PathBuf = test.ancestors().nth(3).expect("target/<profile>/deps/<test>").to_path_buf();
    let path = target.join("components").join(format!("{id}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make components`", path.display()))
}

async fn load(id: &str) -> Arc<Plugin> {
    let config = RuntimeConfig { limits: Limits::default(), compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] };
    let runtime = Runtime::new(config, None).expect("a sandbox");
    runtime.load(&component(id), &BTreeSet::from([Capability::Aws, Capability::Http])).await.unwrap_or_else(|error| panic!("{id}: {error:?}"))
}

fn org() -> OrgId {
    OrgId::new("studio").expect("an organization")
}

fn principal() -> Principal {
    Principal {
        platform_name: "Acme".to_owned(),
        account_id: "111122223333".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/gateway".to_owned(),
        organization: "studio".to_owned(),
    }
}

fn grant(plugin: &Plugin, settings: Value) -> Arc<Grant> {
    let now = Timestamp::from_millis(0);
    let connection = Connection {
        settings,
        ..Connection::new(
            ConnectionId(uuid::Uuid::nil()),
            OrgId::new("studio").expect("an organization"),
            ConnectionName::new("some_connection").expect("a name"),
            plugin.description().id.clone(),
            plugin.digest(),
            ExternalId::new("0123456789abcdef0123456789abcdef").expect("an external id"),
            now,
        )
    };
    Arc::new(Grant::new(connection, plugin.description(), plugin.imports().clone(), &AddressPolicy::default()).expect("a grant"))
}

#[tokio::test]
async fn sp16_a_component_imports_its_one_capability_and_no_wasi() {
    for (id, capability) in [
        ("aws_iam_role", Capability::Aws),
        ("aws_bucket_policy", Capability::Aws),
        ("aws_account_role", Capability::Aws),
        ("https_basic", Capability::Http),
        ("https_bearer", Capability::Http),
        ("https_header", Capability::Http),
        ("https_public", Capability::Http),
        ("https_oauth2", Capability::Http),
        ("azure_blob", Capability::Http),
        ("gcs_hmac", Capability::Http),
    ] {
        let plugin = load(id).await;
        assert_eq!(plugin.description().id, id);
        assert_eq!(plugin.description().version, env!("CARGO_PKG_VERSION"), "{id}");
        assert_eq!(*plugin.imports(), BTreeSet::from([capability]), "{id}");
        assert!(component(id).len() < 448 << 10, "{id} has grown: what did it begin to carry?");
    }
}

/// Each location's URL or `bucket/key`, or its error's code.
fn targets(plan: &Plan) -> Vec<String> {
    let target = |target: &Target| match target {
        Target::Http(object) => object.url.clone(),
        Target::S3(object) => format!("{}/{}", object.bucket, object.key),
    };
    plan.locations.iter().map(|location| location.as_ref().map_or_else(|error| error.code().to_owned(), |location| target(&location.target))).collect()
}

#[tokio::test]
async fn c3_c14_each_connector_plans_and_explains_itself() {
    let role = "arn:aws:iam::123456789012:role/media-reader";
    for (id, settings, sources, expected, credential) in [
        (
            "aws_iam_role",
            json!({ "iam_role_arn": role, "bucket_name": "media", "session_ttl": 900 }),
            ["s3://media/a b#+%.jpg", "https://media.s3.amazonaws.com/a%20b", "s3://other/a"],
            ["media/a b#+%.jpg", "media/a b", "scope_violation"],
            "AwsAssumeRole",
        ),
        (
            "aws_bucket_policy",
            json!({ "bucket_name": "media" }),
            ["s3://media/日本語", "https://s3.eu-west-1.amazonaws.com/media/a+b", "https://media.s3.amazonaws.com/a?X-Amz-Signature=0"],
            ["media/日本語", "media/a+b", "presigned_url"],
            "AwsGatewayRole",
        ),
        (
            "https_basic",
            json!({ "hostname": "Assets.Example.com", "username": "al" }),
            ["a%20b", "https://assets.example.com/c?d=1", "//evil.example/"],
            ["https://assets.example.com/a%20b", "https://assets.example.com/c?d=1", "scope_violation"],
            "Basic",
        ),
        (
            "https_bearer",
            json!({ "hostname": "assets.example.com", "port": 8443, "path_prefix": "/media/" }),
            ["a", "/other/a", "ftp://assets.example.com/a"],
            ["https://assets.example.com:8443/media/a", "scope_violation", "unsupported_uri_scheme"],
            "Bearer",
        ),
    ] {
        let plugin = load(id).await;
        let normal = plugin.normalize(&org(), &settings).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(plugin.normalize(&org(), &normal).await.expect("normal settings"), normal, "{id}");
        let plan = plugin.locate(&org(), &normal.to_string(), &sources).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(targets(&plan), expected, "{id}");
        assert!(format!("{:?}", plan.credentials).starts_with(&format!("[{credential}")), "{id}: {:?}", plan.credentials);
        let steps = plugin.setup(&org(), &normal, &principal(), "0123456789abcdef0123456789abcdef").await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert!(steps.len() >= 2, "{id}");
        let findings = plugin.check(&grant(&plugin, normal.clone()), None).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert!(findings.last().is_some_and(|finding| !finding.passed), "{id}: without a broker nothing can be asked: {findings:?}");
        let thousand: Vec<&str> = std::iter::repeat_n(sources[0], 1000).collect();
        let batch = plugin.locate(&org(), &normal.to_string(), &thousand).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!((batch.credentials.len(), batch.locations.len()), (1, 1000), "{id}");
    }
}

#[tokio::test]
async fn c10_c19_wrong_settings_are_pointed_at() {
    for (id, settings, pointer) in [
        ("aws_iam_role", json!({ "iam_role_arn": "arn:aws:iam::1:role/x", "bucket_name": "media" }), "/iam_role_arn"),
        ("aws_iam_role", json!({ "iam_role_arn": "arn:aws:iam::123456789012:role/x" }), "/bucket_name"),
        ("aws_iam_role", json!({ "iam_role_arn": "arn:aws:iam::123456789012:role/x", "bucket_name": "media", "session_ttl": 900.5 }), "/session_ttl"),
        ("aws_iam_role", json!({ "iam_role_arn": "arn:aws:iam::123456789012:role/x", "bucket_name": "media", "scope": "ec2" }), "/scope"),
        ("aws_bucket_policy", json!({ "bucket_name": "A" }), "/bucket_name"),
        ("https_basic", json!({ "hostname": "assets.example.com", "username": "al:ice" }), "/username"),
        ("https_bearer", json!({ "hostname": "https://assets.example.com" }), "/hostname"),
        ("https_bearer", json!({ "hostname": "127.1" }), "/hostname"),
        ("https_bearer", json!({ "hostname": "assets.example.com", "path_prefix": "a/../b" }), "/path_prefix"),
    ] {
        let error = load(id).await.normalize(&org(), &settings).await.expect_err(pointer);
        assert_eq!(error.field_errors().iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), [pointer], "{id} {settings}");
    }
}

fn hostile(mode: &str) -> Value {
    json!({ "hostname": "assets.example.com", "mode": mode })
}

async fn located(plugin: &Plugin, mode: &str, source: &str) -> Result<Plan, Error> {
    // Of each mode its own: five faults of one organization are enough.
    plugin.locate(&OrgId::new(mode).expect("an organization"), &hostile(mode).to_string(), &[source]).await
}

#[tokio::test]
async fn sp01_sp11_a_connector_that_misbehaves_is_stopped_and_the_next_call_works() {
    let plugin = load("hostile").await;
    for (id, mode, code) in [
        ("P01", "loop", "plugin_deadline"),
        ("P03", "grow", "plugin_memory"),
        ("P05", "recurse", "plugin_trap"),
        ("P06", "huge_output", "output_too_large"),
        ("P07", "trap", "plugin_trap"),
        ("P11", "wrong_credential", "plugin_contract"),
        ("P11", "wrong_count", "plugin_contract"),
    ] {
        let error = located(&plugin, mode, "/a").await.err().unwrap_or_else(|| panic!("{id} {mode} was not stopped"));
        assert_eq!((error.kind(), error.code()), (Kind::PluginFault, code), "{id} {mode}");
        assert_eq!(targets(&located(&plugin, "parrot", "https://assets.example.com/a").await.expect("the next call")), ["https://assets.example.com/a"]);
    }
    for mode in ["loop", "trap"] {
        let setup = plugin.setup(&org(), &hostile(mode), &principal(), "id").await.err().map(|error| error.kind());
        let normalize = plugin.normalize(&org(), &hostile(mode)).await.err().map(|error| error.kind());
        assert_eq!((setup, normalize), (Some(Kind::PluginFault), Some(Kind::PluginFault)), "{mode}");
    }
}

#[tokio::test]
async fn sp08_sp09_nothing_survives_a_call_and_floods_are_cut() {
    let plugin = load("hostile").await;
    for _ in 0..3 {
        assert_eq!(targets(&located(&plugin, "counter", "/a").await.expect("a plan")), ["https://assets.example.com/calls/1"], "P08");
    }
    for mode in ["log_flood", "log_forgery"] {
        let outcome = located(&plugin, mode, "/a").await;
        let stopped = outcome.as_ref().err().is_none_or(|error| error.kind() == Kind::PluginFault);
        assert!(stopped, "P09 {mode}: {outcome:?}");
        assert!(located(&plugin, "counter", "/a").await.is_ok(), "P09: the call after {mode}");
    }
    let flood = plugin.check(&grant(&plugin, hostile("host_call_flood")), None).await;
    assert!(flood.is_err() || flood.is_ok_and(|findings| findings.iter().all(|finding| !finding.passed)), "P09: a thousand calls were answered");
}

#[tokio::test]
async fn sp10_sp11_sp13_what_it_plans_outside_its_connection_is_denied() {
    let plugin = load("hostile").await;
    let grant = grant(&plugin, hostile("parrot"));
    for (id, mode, source) in [
        ("P10", "parrot", "https://evil.example/x"),
        ("P10", "parrot", "https://assets.example.com:8443/x"),
        ("P10", "parrot", "https://assets.example.com@evil.example/x"),
        ("P10", "parrot", "https://evil.example\\@assets.example.com/x"),
        ("P10", "parrot", "http://assets.example.com/x"),
        ("P10", "parrot", "https://169.254.169.254/latest"),
        ("P10", "parrot", "s3://other-bucket/k"),
        ("P11", "unknown_secret", "/a"),
        ("P13", "headers", "authorization: Bearer x"),
        ("P13", "headers", "x-amz-date: 0"),
        ("P13", "headers", "accept: a\r\nAuthorization: x"),
        ("P13", "headers", "host: evil.example"),
        ("B3", "token_elsewhere", "/a"),
        ("M05", "other_role", "/a"),
    ] {
        let denied = match located(&plugin, mode, source).await {
            Err(error) => Some(error),
            Ok(plan) => match plan.locations.first().expect("one location") {
                Err(_) => continue,
                Ok(location) => grant.permit(portcullis::policy::Action::Read, location, &plan.credentials).err(),
            },
        };
        let denied = denied.unwrap_or_else(|| panic!("{id} {mode} {source:?} was permitted"));
        assert!(matches!(denied.kind(), Kind::Denied | Kind::PluginFault | Kind::Invalid), "{id} {mode} {source:?}: {denied:?}");
    }
    let honest = located(&plugin, "parrot", "https://assets.example.com/x").await.expect("a plan");
    let location = honest.locations.first().and_then(|location| location.as_ref().ok()).expect("a location");
    assert_eq!(honest.credentials, [Credential::Bearer { token: "token".to_owned() }]);
    // The connection has no secret here, so even an honest plan is told so, and not that it left its egress.
    assert_ne!(
        grant.permit(portcullis::policy::Action::Read, location, &honest.credentials).err().map(|error| error.code().to_owned()).as_deref(),
        Some("scope_violation")
    );
}

#[tokio::test]
async fn b1_sp12_what_it_can_see_holds_no_secret_and_it_asks_nobody_while_it_plans() {
    let plugin = load("hostile").await;
    let refused = located(&plugin, "call_while_planning", "/a").await.expect_err("host functions are for check and list");
    assert!(matches!(refused.kind(), Kind::Denied | Kind::PluginFault), "{refused:?}");
    let seen = plugin.check(&grant(&plugin, hostile("reveal")), None).await.expect("findings");
    let seen = format!("{seen:?}");
    assert!(seen.contains("token: Secret"), "the settings are shown: {seen}");
    assert!(located(&plugin, "reveal", "/a").await.is_ok());
    for mode in ["call_elsewhere", "other_role"] {
        let findings = plugin.check(&grant(&plugin, hostile(mode)), None).await.expect("findings");
        assert!(findings.iter().all(|finding| !finding.passed), "{mode}: {findings:?}");
    }
    let page = plugin.list(&grant(&plugin, hostile("endless_list")), "", Some("41"), 10).await.expect("a page");
    assert_eq!(page.next.as_deref(), Some("42"), "O16: who lists must stop by itself");
}
