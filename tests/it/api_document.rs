//! What readers of the API's document rely on: examples that its own schemas allow, a reviewed copy in `docs/`, and clients that are made of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_tests::ministack::root;
use portcullis_tests::openapi::Described;
use portcullis_tests::scene::{CUSTOMER, MEDIA, READER_ROLE, trust};
use serde_json::{Map, Value, json};

use crate::play::play;

const REVIEWED: &str = "docs/openapi.json";
const WRITE: &str = "OPENAPI_WRITE=1 cargo nextest run --locked --workspace -E 'test(the_document_is_the_one_that_was_reviewed)'";

fn examples(content: &Value) -> Vec<Value> {
    let named = content["examples"].as_object().into_iter().flat_map(Map::values).map(|example| example["value"].clone());
    named.chain(content.get("example").cloned()).collect()
}

#[tokio::test]
async fn c40_b08_every_body_and_answer_has_an_example_that_its_schema_allows() {
    let play = play().await;
    let described = Described::by(&play.api).await;
    let (mut looked_at, mut missing) = (0, Vec::new());
    for operation in &described.operations {
        let bodies = std::iter::once(("body".to_owned(), &operation.described["requestBody"]));
        let answers = operation.described["responses"].as_object().unwrap().iter().map(|(status, response)| (status.clone(), response));
        for (what, given) in bodies.chain(answers) {
            let given = described.resolved(given);
            for (media_type, content) in given["content"].as_object().into_iter().flatten().filter(|(media_type, _)| media_type.ends_with("json")) {
                let shown = format!("{} {what} {media_type}", operation.id());
                let examples = examples(content);
                if examples.is_empty() {
                    missing.push(shown.clone());
                }
                for example in examples {
                    described.validate(&content["schema"], &example, &shown);
                    looked_at += 1;
                }
            }
        }
        for parameter in operation.described["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["required"] == true) {
            let shown = format!("{} {}", operation.id(), parameter["name"]);
            match parameter.get("example") {
                Some(example) => described.validate(&parameter["schema"], example, &shown),
                None => missing.push(shown),
            }
        }
    }
    assert!(missing.is_empty(), "without an example (host/src/http/openapi/examples.rs, or `.example(…)` after the parameter): {missing:#?}");
    assert!(looked_at > 300, "{looked_at}");
    let connectors = play.api.all("/api/v1/connectors").await;
    let shown = described.document["paths"]["/api/v1/connections"]["post"]["requestBody"]["content"]["application/json"]["examples"].as_object().unwrap();
    assert_eq!(shown.keys().collect::<Vec<_>>(), connectors.iter().map(|connector| connector["id"].as_str().unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn c40_each_code_of_an_example_is_one_that_there_is() {
    let play = play().await;
    let document = Described::by(&play.api).await.document;
    let problems = document["components"]["responses"].as_object().unwrap();
    let (mut code, mut folders) = (String::new(), vec![root().join("host/src"), root().join("plugins/sdk/src")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("openapi/examples.rs") {
                code += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    assert!(problems.len() >= 13, "{}", problems.len());
    for (status, response) in problems {
        let example = &response["content"]["application/problem+json"]["example"];
        assert_eq!(example["status"].to_string(), *status);
        assert!(code.contains(&format!("\"{}\"", example["code"].as_str().unwrap())), "nothing answers with the code of {example}");
    }
}

#[tokio::test]
async fn the_document_is_the_one_that_was_reviewed() {
    let play = play().await;
    let document = Described::by(&play.api).await.document;
    let text = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    let file = root().join(REVIEWED);
    if std::env::var_os("OPENAPI_WRITE").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let other = text.lines().zip(kept.lines().chain(std::iter::repeat(""))).enumerate().find(|(_, (now, then))| now != then);
    assert!(
        kept == text,
        "the API's document has changed. If that is meant, look at what this writes, and commit it:\n  {WRITE}\nThe first line that differs: {other:?}"
    );
}

/// Panics with what to run where it is missing: a test is never skipped.
fn generator() -> PathBuf {
    let venv = root().join("target/python-client-venv");
    assert!(venv.join("pins").exists(), "the tool is not installed: run `scripts/python-client install` (`make test` does)");
    venv.join("bin/python")
}

async fn said(mut command: Command, what: &str) -> String {
    let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {said}");
    said
}

/// A client that nobody wrote: made of the document, it makes a connection, tests it, ingests through it and looks at the outcome.
#[tokio::test]
async fn c12_c13_c22_c34_a_generated_python_client_does_what_a_program_needs() {
    let python = generator();
    let play = play().await;
    let folder = play.gateway.folder().join("client");
    let mut generate = Command::new(root().join("scripts/python-client"));
    generate.arg("generate").arg(play.gateway.url()).arg(folder.join("portcullis_client"));
    let warned = said(generate, "generating the client").await;
    assert!(!warned.to_lowercase().contains("warning") && !warned.contains("Unable to"), "the generator stumbles over the document:\n{warned}");
    assert!(operations(&folder) >= 30, "operations are missing");

    let program = |step: &str| {
        let mut command = Command::new(&python);
        command.arg(root().join("tests/python/client.py")).arg(step).env_clear().env("PYTHONPATH", &folder);
        command.env("PORTCULLIS_URL", play.gateway.url()).env("PORTCULLIS_TOKEN", play.gateway.token());
        command.env("ROLE", READER_ROLE).env("BUCKET", MEDIA);
        command
    };
    let external_id = said(program("create"), "creating").await.trim().to_owned();
    play.aws.trust(CUSTOMER, "media/reader", &trust(Some(&external_id)));
    assert_eq!(said(program("use"), "using").await.trim(), "ready, 1 completed, 1 file_not_found");
    let job = play.api.all("/api/v1/ingestion/jobs").await.remove(0);
    assert_eq!((&job["dataset_id"], &job["total"]), (&json!("generated"), &json!(2)));
}

/// Modules of operations, without those of v0, which are the same.
fn operations(folder: &Path) -> usize {
    let mut found = 0;
    for tag in std::fs::read_dir(folder.join("portcullis_client/api")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let names = std::fs::read_dir(tag).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        found += names.filter(|name| name.ends_with(".py") && !name.ends_with("_v0.py") && name != "__init__.py").count();
    }
    found
}
