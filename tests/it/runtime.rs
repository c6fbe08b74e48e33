//! The sandbox with real components: what only their size shows.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis::model::{Capability, OrgId, Target};
use portcullis::runtime::{Compiler, Limits, Runtime, RuntimeConfig};

/// `<target>/components`, where this binary is `<target>/<profile>/deps/it-…`.
fn component(id: &str) -> Vec<u8> {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap();
    let path = target.join(format!("components/{id}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make components`", path.display()))
}

fn runtime() -> Arc<Runtime> {
    Runtime::new(RuntimeConfig { limits: Limits::default(), compiler: Compiler::InProcess, cache_dir: None, cache_key: [0; 32] }, None).unwrap()
}

fn org() -> OrgId {
    OrgId::new("studio").unwrap()
}

#[tokio::test]
async fn sp18_a_real_component_cut_off_at_each_kib_is_refused() {
    let (wasm, runtime) = (component("https_bearer"), runtime());
    for end in (0..wasm.len()).step_by(1024) {
        let error = runtime.load(&wasm[..end], &BTreeSet::from([Capability::Http])).await.err().unwrap_or_else(|| panic!("accepted after {end} bytes"));
        assert!(["invalid_component", "incompatible_world"].contains(&error.code()), "after {end} bytes: {error}");
    }
}

#[tokio::test]
async fn a_thousand_paths_are_planned_in_one_call_and_keep_their_order() {
    let plugin = runtime().load(&component("aws_iam_role"), &BTreeSet::from([Capability::Aws])).await.unwrap();
    let settings = r#"{"iam_role_arn":"arn:aws:iam::123456789012:role/Reader","bucket_name":"customer-assets"}"#;
    let sources: Vec<_> = (0..1000).map(|number| format!("s3://customer-assets/{number}")).collect();
    let plan = plugin.locate(&org(), settings, &sources.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(plan.credentials.len(), 1, "one credential for all");
    for (number, location) in plan.locations.iter().enumerate() {
        assert!(matches!(&location.as_ref().unwrap().target, Target::S3(object) if object.key.as_str() == number.to_string()));
    }
}
