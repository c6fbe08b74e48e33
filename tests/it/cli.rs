//! The command line from outside: a process that talks to a running gateway, what it prints and its exit codes. And the examples, as written.

use std::process::{Command, Output, Stdio};

use portcullis_tests::gateway::{Gateway, binary};
use serde_json::{Value, json};

use crate::play::{Play, basic_body, play, ready_web};

struct Ran {
    code: i32,
    out: Vec<u8>,
    err: String,
}

async fn run(mut command: Command) -> Ran {
    command.stdin(Stdio::null());
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ran { code: status.code().unwrap(), out: stdout, err: String::from_utf8_lossy(&stderr).into_owned() }
}

async fn portcullis(gateway: &Gateway, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear().env("PORTCULLIS_URL", gateway.url()).env("PORTCULLIS_TOKEN", gateway.token());
    run(command).await
}

async fn with_connection() -> (Play, String) {
    let play = play().await;
    let source = format!("https://localhost:{}/basic/cli.bin", play.origin.port());
    play.origin.put("/basic/cli.bin", vec![0, 159, 146, 150, 10, 13, 27, 255]);
    ready_web(&play.api, basic_body("web_one", &play.origin), &source).await;
    (play, source)
}

#[tokio::test]
async fn c02_every_refusal_has_its_documented_exit_code_and_its_code() {
    let (play, _) = with_connection().await;
    for (arguments, code, says) in [
        (vec!["connection", "get", "nobody"], 3, "connection_not_found"),
        (vec!["job", "get", "nothing"], 3, "job_not_found"),
        (vec!["connection", "delete", "portcullis"], 4, "default_connection"),
        (vec!["--token", "pct_wrong", "connection", "list"], 4, "unauthorized"),
        (vec!["connection", "create", "X", "--type", "https_basic"], 1, "/name"),
        (vec!["connection", "create", "x_y", "--type", "https_basic", "--secret", "password=hunter2"], 2, "visible"),
        (vec!["cat", "web_one"], 2, "Usage"),
    ] {
        let ran = portcullis(&play.gateway, &arguments).await;
        assert_eq!((ran.code, ran.out.len()), (code, 0), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says) && !ran.err.contains('\u{1b}') && !ran.err.contains("hunter2"), "{arguments:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn c02_b13_what_the_command_line_shows_is_what_there_is() {
    let (play, source) = with_connection().await;
    assert_eq!(portcullis(&play.gateway, &["cat", "web_one", &source]).await.out, [0, 159, 146, 150, 10, 13, 27, 255]);
    assert_eq!(portcullis(&play.gateway, &["cat", "web_one", &source, "--range", "1-2"]).await.out, [159, 146]);
    let plan = portcullis(&play.gateway, &["plan", "web_one", &source, "https://elsewhere.example/x"]).await;
    let text = String::from_utf8_lossy(&plan.out).into_owned();
    assert!(plan.code == 1 && text.contains(&format!("GET {source}")) && text.contains("refused"), "{text}");
    assert!(!text.contains(&play.origin.settings().password), "{text}");
    let listed = portcullis(&play.gateway, &["connection", "list", "--output", "json"]).await;
    let names: Vec<Value> = serde_json::from_slice::<Vec<Value>>(&listed.out).unwrap().iter().map(|connection| connection["name"].clone()).collect();
    assert_eq!(names, [json!("portcullis"), json!("web_one")]);
    let (good, bad) = (source.clone(), source.replace("cli.bin", "none.bin"));
    for (sources, code) in [(vec![good.as_str()], 0), (vec![good.as_str(), bad.as_str()], 1)] {
        let ran = portcullis(&play.gateway, &[vec!["ingest", "--wait", "--dataset", "d", "--connection", "web_one"], sources].concat()).await;
        assert_eq!(ran.code, code, "{}", ran.err);
        assert_eq!(String::from_utf8_lossy(&ran.out).contains("file_not_found"), code == 1);
    }
}

#[tokio::test]
async fn c12_c13_the_curl_example_works_as_written() {
    let (play, source) = with_connection().await;
    let settings = play.origin.settings();
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/curl-quickstart/quickstart.sh"));
    command.env("PORTCULLIS_URL", play.gateway.url()).env("PORTCULLIS_TOKEN", play.gateway.token()).env("ASSET_URL", source);
    command
        .env("ORIGIN_HOST", "localhost")
        .env("ORIGIN_PORT", play.origin.port().to_string())
        .env("ORIGIN_USER", &settings.username)
        .env("ORIGIN_PASSWORD", &settings.password);
    let ran = run(command).await;
    let out = String::from_utf8_lossy(&ran.out).into_owned();
    assert_eq!(ran.code, 0, "{out}{}", ran.err);
    assert!(out.contains(r#""status":"ready""#) && out.contains("00 9f 92 96") && out.contains(r#""processed":1,"errored":0"#), "{out}");
    assert!(!out.contains(&settings.password));
}
