//! The command line from outside: a process that talks to a running gateway, what it prints and its exit codes. And the examples, as written.

use std::process::{Command, Output, Stdio};

use portcullis_tests::gateway::{Gateway, binary};
use serde_json::{Value, json};

use crate::play::{Play, basic_body, play, ready_web};

pub struct Ran {
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

async fn run(mut command: Command) -> Ran {
    command.stdin(Stdio::null());
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Ran { code: status.code().unwrap(), out: stdout, err: String::from_utf8_lossy(&stderr).into_owned() }
}

pub async fn portcullis(gateway: &Gateway, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear().env("PORTCULLIS_URL", gateway.url()).env("PORTCULLIS_TOKEN", gateway.token());
    run(command).await
}

pub async fn with_connection() -> (Play, String) {
    let play = play().await;
    let source = format!("https://localhost:{}/basic/cli.bin", play.origin.port());
    play.origin.put("/basic/cli.bin", vec![0, 159, 146, 150, 10, 13, 27, 255]);
    ready_web(&play.api, basic_body("web_one", &play.origin), &source).await;
    (play, source)
}

#[tokio::test]
async fn c02_every_refusal_has_its_documented_exit_code_and_its_code() {
    let (play, source) = with_connection().await;
    for (arguments, code, says) in [
        (vec!["connection", "get", "nobody"], 3, "connection_not_found"),
        (vec!["job", "get", "nothing"], 3, "job_not_found"),
        (vec!["connection", "delete", "portcullis"], 4, "default_connection"),
        (vec!["--token", "pct_wrong", "connection", "list"], 4, "PORTCULLIS_TOKEN"),
        (vec!["connection", "create", "X", "--type", "https_basic"], 1, "/name"),
        (vec!["connection", "create", "x_y", "--type", "https_basic", "--secret", "password=hunter2"], 2, "visible"),
        (vec!["connection", "create", "x_y", "--type", "https_basic", "--set", "port=8443"], 1, "--set NAME:=VALUE"),
        (vec!["cat", "web_one"], 2, "Usage"),
        (vec!["cat", "web_one", &source, "--range", "abc"], 2, "FIRST-LAST"),
        (vec!["cat", "web_one", &source, "--range", "99-"], 1, "has 8 bytes"),
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
    assert_eq!(portcullis(&play.gateway, &["connection", "test", "web_one", "--location", &bad]).await.code, 1);
    let shown = portcullis(&play.gateway, &["connection", "get", "web_one"]).await;
    assert!(shown.code == 0 && shown.err.contains("its test failed: file_not_found: "), "{}", shown.err);
    assert_eq!(portcullis(&play.gateway, &["connection", "test", "web_one", "--location", &good]).await.code, 0);
    for (sources, code) in [(vec![good.as_str()], 0), (vec![good.as_str(), bad.as_str()], 1)] {
        let ran = portcullis(&play.gateway, &[vec!["ingest", "--wait", "--dataset", "d", "--connection", "web_one"], sources].concat()).await;
        assert_eq!(ran.code, code, "{}", ran.err);
        assert_eq!(String::from_utf8_lossy(&ran.out).contains("file_not_found"), code == 1);
    }
}

#[tokio::test]
async fn l09_a_url_is_printed_alone_and_opens_the_object_without_a_token() {
    let (play, source) = with_connection().await;
    let nobody = play.api.with_token("");
    let ran = portcullis(&play.gateway, &["sign", "web_one", &source]).await;
    let url = String::from_utf8(ran.out).unwrap();
    let path = url.strip_prefix(play.gateway.url()).and_then(|rest| rest.strip_suffix('\n')).unwrap_or_else(|| panic!("{url}{}", ran.err));
    assert_eq!(nobody.get(path).await.body, [0, 159, 146, 150, 10, 13, 27, 255].as_slice());
    let ran = portcullis(&play.gateway, &["sign", "web_one", &source, "--method", "head", "--expires-in", "5", "--output", "json"]).await;
    let signed: Value = serde_json::from_slice(&ran.out).unwrap();
    assert!(signed["method"] == "HEAD" && signed["expires_at"].is_string() && signed["url"].as_str().unwrap().starts_with(play.gateway.url()), "{signed}");
    for (arguments, code, says) in [
        (["sign", "nobody", &source, "--expires-in", "5"], 3, "connection_not_found"),
        (["sign", "web_one", "https://elsewhere.example/x", "--expires-in", "5"], 4, "scope_violation"),
        (["sign", "web_one", &source, "--expires-in", "3601"], 1, "/expires_in"),
        (["sign", "web_one", &source, "--method", "PUT"], 2, "possible values"),
    ] {
        let ran = portcullis(&play.gateway, &arguments).await;
        assert!(ran.code == code && ran.err.contains(says) && ran.out.is_empty(), "{arguments:?}: {} {}", ran.code, ran.err);
    }
}

#[tokio::test]
async fn l14_the_command_line_sets_a_datasets_default_connection() {
    let (play, source) = with_connection().await;
    let ingest = ["ingest", "--wait", "--dataset", "d", source.as_str()];
    for (arguments, code, says) in [
        (&ingest[..], 1, "/connection_name"),
        (&["dataset", "get", "d"], 3, "dataset_not_found"),
        (&["dataset", "set", "d"], 2, "--default-connection"),
        (&["dataset", "set", "d", "--default-connection", "web_one"], 0, "web_one"),
        (&["dataset", "get", "d"], 0, "web_one"),
        (&ingest, 0, ""),
        (&["dataset", "set", "d", "--no-default-connection"], 0, "d"),
        (&ingest, 1, "/connection_name"),
    ] {
        let ran = portcullis(&play.gateway, arguments).await;
        let said = format!("{}{}", String::from_utf8_lossy(&ran.out), ran.err);
        assert!(ran.code == code && said.contains(says), "{arguments:?}: {} {said}", ran.code);
    }
}

#[tokio::test]
async fn c12_l01_connections_are_imported_and_what_is_not_says_why() {
    let play = play().await;
    let settings = play.origin.settings();
    play.origin.put("/basic/a.txt", "a");
    let text = format!(
        "[Press Files]\ntype = http\nurl = https://{}:{}@localhost:{}/basic\n\n[keys]\ntype = s3\nprovider = AWS\naccess_key_id = AKIAX\nsecret_access_key = hunter2\n\n[drive]\ntype = drive\ntoken = hunter2\n",
        percent_encoding::utf8_percent_encode(&settings.username, percent_encoding::NON_ALPHANUMERIC),
        percent_encoding::utf8_percent_encode(&settings.password, percent_encoding::NON_ALPHANUMERIC),
        play.origin.port(),
    );
    let file = play.gateway.folder().join("rclone.conf");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let import = async |more: &[&str]| {
        let ran = portcullis(&play.gateway, &[&["connection", "import", file][..], more].concat()).await;
        let shown = format!("{}{}", String::from_utf8_lossy(&ran.out), ran.err);
        assert!(!shown.contains("hunter2") && !shown.contains(&settings.password), "{shown}");
        (ran.code, shown)
    };
    let (code, shown) = import(&["--dry-run", "--reserve", "--bucket", "keys=customer-media"]).await;
    assert!(code == 1 && shown.matches("would be made").count() == 2 && shown.contains("press_files") && shown.contains("(set)"), "{shown}");
    assert_eq!(play.api.all("/api/v1/connections").await.len(), 1, "nothing is made");
    let (code, shown) = import(&["--only", "keys"]).await;
    assert!(code == 1 && shown.contains("static keys are not taken") && shown.contains("aws_iam_role"), "{shown}");
    assert_eq!(import(&["--only", "nobody"]).await.0, 2);
    let (code, shown) = import(&["--only", "keys", "--only", "Press Files", "--reserve", "--bucket", "keys=customer-media"]).await;
    assert!(code == 0 && shown.matches("made: ").count() == 2 && shown.contains("made: pending"), "{shown}");
    let keys = play.api.get("/api/v1/connections/keys").await.expect(200);
    assert_eq!((&keys["type"], &keys["status"], &keys["config"]["bucket_name"]), (&json!("aws_iam_role"), &json!("pending"), &json!("customer-media")));
    // A remote names no file to test with, and this server shows its folders to nobody.
    let source = play.origin.url("/basic/a.txt");
    play.api.patch("/api/v1/connections/press_files", &json!({"test_location": source})).await.expect(200);
    assert_eq!(play.api.post("/api/v1/connections/press_files/test", &json!({})).await.expect(200)["status"], "ready");
    assert_eq!(play.api.read("press_files", &source).await.text(), "a");
    let (code, shown) = import(&["--only", "Press Files"]).await;
    assert!(code == 1 && shown.contains("is there already"), "{shown}");

    let document = play.gateway.folder().join("connections.json");
    let role = json!({"iam_role_arn": "arn:aws:iam::444455556666:role/media/reader", "bucket_name": "customer-media"});
    let list = json!([{"name": "my_s3_connection", "type": "aws_iam_role", "config": role, "test_location": "s3://customer-media/example_file.mp4"}]);
    std::fs::write(&document, list.to_string()).unwrap();
    let ran = portcullis(&play.gateway, &["connection", "import", document.to_str().unwrap(), "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(serde_json::from_slice::<Value>(&ran.out).unwrap()[0]["outcome"], "made: error", "it is stored, and its role does not trust us yet");
}

#[tokio::test]
async fn c02_c05_the_command_line_makes_organizations_and_their_tokens() {
    let play = play().await;
    let run = async |arguments: &[&str]| portcullis(&play.gateway, arguments).await;
    assert_eq!(run(&["organization", "create", "acme", "--description", "Films"]).await.code, 0);
    assert_eq!(run(&["organization", "create", "acme"]).await.code, 4);
    assert_eq!(run(&["organization", "create", "A b"]).await.code, 1);
    let minted = run(&["token", "create", "--name", "admin", "--role", "admin", "--organization", "acme"]).await;
    let token = String::from_utf8_lossy(&minted.out).trim().to_owned();
    play.api.with_token(&token).get("/api/v1/connections").await.expect(200);
    let listed = run(&["token", "list", "--organization", "acme"]).await;
    assert!(String::from_utf8_lossy(&listed.out).contains("acme"), "{}", listed.err);
    assert!(String::from_utf8_lossy(&run(&["organization", "list"]).await.out).contains("Films"));
    assert_eq!(run(&["organization", "delete", "acme"]).await.code, 0);
    assert_eq!(run(&["organization", "delete", "acme"]).await.code, 3);
    assert_eq!(play.api.with_token(&token).get("/api/v1/connections").await.status.as_u16(), 401);
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
