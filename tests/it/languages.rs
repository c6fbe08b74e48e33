//! The connectors that are written in other languages than Rust, built from `examples/`: in the sandbox, like every other.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis::model::{Capability, Credential, OrgId, Plan, Target};
use portcullis::runtime::{Compiler, Limits, Plugin, Runtime, RuntimeConfig};
use portcullis_tests::ministack::root;
use serde_json::{Value, json};

fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap()
}

/// `target/plugins`, where `make examples` leaves them, beside the profile's folder that this test runs from.
fn component(id: &str) -> Vec<u8> {
    let path = target().join(format!("plugins/{id}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make examples`", path.display()))
}

async fn load(id: &str, granted: &[Capability]) -> Arc<Plugin> {
    // 12 MB of JavaScript engine take half a minute of CPU to compile in a debug build: once for all tests.
    let runtime = Runtime::new(
        RuntimeConfig { limits: Limits::default(), compiler: Compiler::InProcess, cache_dir: Some(target().join("plugins/compiled")), cache_key: [0; 32] },
        None,
    )
    .unwrap();
    runtime.load(&component(id), &granted.iter().copied().collect()).await.unwrap_or_else(|error| panic!("{id}: {error:?}"))
}

fn org() -> OrgId {
    OrgId::new("studio").unwrap()
}

fn targets(plan: &Plan) -> Vec<String> {
    let target = |target: &Target| match target {
        Target::Http(object) => object.url.clone(),
        Target::S3(object) => format!("{}/{}", object.bucket, object.key),
    };
    plan.locations.iter().map(|location| location.as_ref().map_or_else(|error| error.code().to_owned(), |location| target(&location.target))).collect()
}

#[tokio::test]
async fn c3_c14_a_connector_in_any_language_plans() {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for (id, granted, settings, sources, expected) in [
        (
            "sha256_store",
            &[][..],
            json!({"hostname": "Files.example.com", "port": 8443, "folder": "/blobs/"}),
            vec![format!("sha256:{digest}"), digest.to_uppercase(), "sha256:../..".to_owned()],
            vec![
                format!("https://files.example.com:8443/blobs/9f/86/{digest}"),
                format!("https://files.example.com:8443/blobs/9f/86/{digest}"),
                "invalid_digest".to_owned(),
            ],
        ),
        (
            "gitlab_repository",
            &[Capability::Http][..],
            json!({"hostname": "gitlab.example.com", "project_id": "17", "ref": "v1.0"}),
            vec!["images/ä b.jpg".to_owned(), "gitlab://17/a".to_owned(), "gitlab://18/a".to_owned(), "../x".to_owned(), "s3://b/k".to_owned()],
            vec![
                "https://gitlab.example.com/api/v4/projects/17/repository/files/images%2F%C3%A4%20b.jpg/raw?ref=v1.0&lfs=true".to_owned(),
                "https://gitlab.example.com/api/v4/projects/17/repository/files/a/raw?ref=v1.0&lfs=true".to_owned(),
                "scope_violation".to_owned(),
                "unsupported_key".to_owned(),
                "unsupported_uri_scheme".to_owned(),
            ],
        ),
        (
            "https_index",
            &[Capability::Http][..],
            json!({"hostname": "files.example.com.", "folder": "media/", "username": "al"}),
            vec![
                "a%20b.jpg".to_owned(),
                "https://files.example.com/media/ä".to_owned(),
                "https://evil.example/media/x".to_owned(),
                "/media/%2e%2E/x".to_owned(),
            ],
            vec![
                "https://files.example.com/media/a%20b.jpg".to_owned(),
                "https://files.example.com/media/%C3%A4".to_owned(),
                "scope_violation".to_owned(),
                "unsupported_key".to_owned(),
            ],
        ),
    ] {
        let plugin = load(id, granted).await;
        assert_eq!(plugin.description().id, id);
        assert_eq!(*plugin.imports(), granted.iter().copied().collect::<BTreeSet<_>>(), "{id}: no WASI, and no power that it does not use");
        let normal = plugin.normalize(&org(), &settings).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(plugin.normalize(&org(), &normal).await.expect("normal settings"), normal, "{id}");
        let plan = plugin
            .locate(&org(), &normal.to_string(), &sources.iter().map(String::as_str).collect::<Vec<_>>())
            .await
            .unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(targets(&plan), expected, "{id}");
        assert!(matches!(plan.credentials[..], [Credential::Bearer { .. } | Credential::Basic { .. }]), "{id}");
        let thousand: Vec<&str> = std::iter::repeat_n(sources[0].as_str(), 1000).collect();
        let batch = plugin.locate(&org(), &normal.to_string(), &thousand).await.unwrap_or_else(|error| panic!("{id}: {error:?}"));
        assert_eq!(batch.locations.len(), 1000, "{id}");
        for wrong in [json!({}), json!({"hostname": 1}), json!({"hostname": "a b"}), json!([]), Value::Null] {
            assert!(plugin.normalize(&org(), &wrong).await.is_err_and(|error| error.code() == "invalid_field"), "{id} {wrong}");
        }
    }
}

/// The world that an encoded contract describes, as text without its comments.
fn world(module: &[u8]) -> String {
    let (_, bindgen) = wit_component::metadata::decode(module).unwrap();
    let package = bindgen.resolve.worlds[bindgen.world].package.unwrap();
    let mut printer = wit_component::WitPrinter::default();
    printer.emit_docs(false).print(&bindgen.resolve, package, &[]).unwrap();
    printer.output.to_string()
}

#[test]
fn the_c_bindings_are_those_of_the_contract() {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(root().join("wit")).unwrap();
    let plain = resolve.select_world(&[package], Some("plain-connector")).unwrap();
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    wit_component::embed_component_metadata(&mut module, &resolve, plain, wit_component::StringEncoding::UTF8).unwrap();
    let bindings = std::fs::read(root().join("examples/connector-c/bindings/plugin_component_type.o")).unwrap();
    assert_eq!(
        world(&bindings),
        world(&module),
        "wit/ has changed: cargo run --manifest-path plugins/bindings-c/Cargo.toml -- wit plain-connector examples/connector-c/bindings"
    );
}
