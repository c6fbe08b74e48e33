//! Verbs against a scripted server: what they send, and what they make of the answers.

use std::sync::{Arc, Mutex};

use clap::{CommandFactory, Parser};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::Client;
use super::failure::{Done, Failure};
use super::output::{Format, Output};
use super::{ApiVerb, Cli, Verb, call};

struct Asked {
    line: String,
    head: String,
    body: Value,
}

/// Answers each request with the next of `answers`: a status and a body.
struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    async fn new(answers: Vec<(u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = asked.clone();
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                record.lock().unwrap().push(request);
                let body = body.to_string();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\nlocation: http://127.0.0.1:1/\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        Self { url, asked }
    }

    async fn run(&self, line: &str) -> Done {
        let client = Client::new(&self.url, Some("pct_test".to_owned())).unwrap();
        call(verb(line), &client, Output::new(Format::Json)).await
    }

    fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.line.clone()).collect()
    }

    fn body(&self, index: usize) -> Value {
        self.asked.lock().unwrap()[index].body.clone()
    }
}

fn verb(line: &str) -> ApiVerb {
    match Cli::try_parse_from(line.split(' ')).unwrap().verb {
        Verb::Api(verb) => verb,
        _ => panic!("{line} calls no gateway"),
    }
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned)).map_or(0, |text| text.parse().unwrap());
        if body.len() >= length {
            let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
            return Asked { line, head: head.to_lowercase(), body: serde_json::from_str(body).unwrap_or_default() };
        }
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn arguments_are_read_as_documented() {
    for (line, ok) in [
        ("portcullis", false),
        ("portcullis connection create", false),
        ("portcullis connection create media", false),
        ("portcullis ingest s3://b/k --connection c", false),
        ("portcullis dataset set d --default-connection c --no-default-connection", false),
        ("portcullis cat media", false),
        ("portcullis token create --name ci --role king", false),
        ("portcullis serve --config portcullis.toml", true),
        ("portcullis connection create media --type https_basic --set hostname=h --secret password=-", true),
        ("portcullis connection list --status ready --output json", true),
        ("portcullis ingest s3://b/k --dataset d --connection c --wait", true),
        ("portcullis ingest s3://b/k --dataset d", true),
        ("portcullis cat media https://h/a --range 0-9", true),
        ("portcullis token create --name ci --role member", true),
    ] {
        assert_eq!(Cli::try_parse_from(line.split(' ')).is_ok(), ok, "{line}");
    }
}

/// As a shell does it: words, quotes, and nothing from a redirection on.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words.into_iter().take_while(|word| word != ">").collect()
}

fn verbs(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let path = format!("{path} {}", verb.get_name());
        verbs(verb, &path, found);
        if !verb.has_subcommands() {
            found.push((path, verb.clone()));
        }
    }
}

#[test]
fn every_verb_shows_one_or_two_examples_and_each_is_read() {
    let mut found = Vec::new();
    verbs(&Cli::command(), "portcullis", &mut found);
    assert!(found.len() > 25, "{}", found.len());
    for (path, verb) in found {
        let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.lines().all(|line| line.len() <= 80), "{path}: a line that a terminal breaks cannot be pasted: {help}");
        let help = help.replace("\\\n      ", "");
        let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert!((1..=2).contains(&examples.len()) && help.starts_with("Example"), "{path} --help shows one or two examples: {help}");
        for example in examples {
            let named = verb.get_visible_aliases().map(|alias| path.replace(verb.get_name(), alias)).chain([path.clone()]);
            assert!(named.into_iter().any(|path| example.starts_with(&path)), "{path}: {example} is of another verb");
            if let Err(error) = Cli::try_parse_from(words(example)) {
                panic!("{example}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_refuses_becomes_its_exit_code() {
    for (case, status, body, expected) in [
        ("no such connection", 404, json!({"code": "connection_not_found", "detail": "no"}), Some(404)),
        ("not allowed", 403, json!({"code": "forbidden", "detail": "no"}), Some(403)),
        ("a stranger's 404", 404, json!("<html>"), None),
        ("a redirect is not followed", 302, json!({}), None),
    ] {
        let server = Scripted::new(vec![(status, body)]).await;
        match server.run("portcullis connection get media").await {
            Err(Failure::Refused(problem)) => assert_eq!(Some(problem.status), expected, "{case}"),
            Err(Failure::Unreachable(_)) => assert_eq!(expected, None, "{case}"),
            other => panic!("{case}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let client = Client::new("http://127.0.0.1:1", None).unwrap();
    assert!(matches!(call(verb("portcullis token list"), &client, Output::new(Format::Json)).await, Err(Failure::Unreachable(_))));
}

#[tokio::test]
async fn the_token_is_sent_as_a_bearer_and_lists_are_read_to_their_end() {
    let server =
        Scripted::new(vec![(200, json!({"items": [{"name": "a"}], "next_cursor": "x/y"})), (200, json!({"items": [{"name": "b"}], "next_cursor": null}))])
            .await;
    server.run("portcullis connection list --status ready").await.unwrap();
    assert_eq!(server.lines(), ["GET /api/v1/connections?status=ready&limit=500", "GET /api/v1/connections?status=ready&limit=500&cursor=x%2Fy"]);
    assert!(server.asked.lock().unwrap().iter().all(|asked| asked.head.contains("authorization: bearer pct_test")));
}

#[tokio::test]
async fn verbs_send_what_the_api_takes() {
    let cases = [
        (
            "portcullis connection create media --type https_basic --set hostname=h --set port:=8443 --test-location https://h/a --require-test",
            "POST /api/v1/connections?validate=require",
            json!({"name": "media", "type": "https_basic", "config": {"hostname": "h", "port": 8443}, "test_location": "https://h/a"}),
        ),
        (
            "portcullis connection edit media --set hostname=h2 --if-version 3",
            "PATCH /api/v1/connections/media",
            json!({"config": {"hostname": "h2"}, "version": 3}),
        ),
        ("portcullis connection delete media", "DELETE /api/v1/connections/media", Value::Null),
        ("portcullis plan media s3://b/k", "POST /api/v1/plan", json!({"connection": "media", "source_paths": ["s3://b/k"]})),
        ("portcullis ls media p/ --bucket b --limit 5", "POST /api/v1/connections/media/list", json!({"prefix": "p/", "bucket": "b", "max_keys": 5})),
        ("portcullis token create --name ci --role member", "POST /api/v1/tokens", json!({"name": "ci", "role": "member"})),
        ("portcullis job retry j", "POST /api/v1/ingestion/jobs/j/retry", Value::Null),
        (
            "portcullis ingest --dataset d --connection c --metadata label=example s3://b/k",
            "POST /api/v1/ingestion/assets",
            json!({"dataset_id": "d", "connection_name": "c", "assets": [{"source_path": "s3://b/k", "metadata": {"label": "example"}}]}),
        ),
    ];
    for (line, request, body) in cases {
        let server = Scripted::new(vec![(200, json!({}))]).await;
        server.run(line).await.unwrap();
        assert_eq!(server.lines(), [request], "{line}");
        assert_eq!(server.body(0), body, "{line}");
    }
}

#[tokio::test]
async fn an_edit_without_a_change_asks_nothing_of_the_gateway() {
    let server = Scripted::new(vec![]).await;
    assert!(matches!(server.run("portcullis connection edit media --if-version 3").await, Err(Failure::Usage(_))));
    assert!(server.lines().is_empty());
}

#[tokio::test]
async fn a_failed_test_is_not_a_success() {
    for (status, passed) in [("error", false), ("ready", false), ("ready", true), ("pending", true)] {
        let server = Scripted::new(vec![(200, json!({"status": status, "passed": passed, "checks": []}))]).await;
        assert_eq!(server.run("portcullis connection test media --keep-status").await.is_ok(), passed, "{status}");
        assert_eq!(server.body(0), json!({"update_state": false}));
    }
}

#[tokio::test]
async fn waiting_ends_with_the_job_and_succeeds_only_without_errors() {
    let job = |status: &str, errored: u64| (200, json!({"job_id": "j", "status": status, "total": 2, "processed": 2, "errored": errored}));
    for (last, ok) in [(job("completed", 0), true), (job("completed", 1), false), (job("failed", 0), false), (job("stopped", 0), false)] {
        let server = Scripted::new(vec![job("in_progress", 0), last]).await;
        assert_eq!(server.run("portcullis job wait j").await.is_ok(), ok);
        assert_eq!(server.lines(), ["GET /api/v1/ingestion/jobs/j", "GET /api/v1/ingestion/jobs/j"]);
    }
}

#[tokio::test]
async fn a_range_that_was_ignored_is_not_passed_off_as_one() {
    let server = Scripted::new(vec![(200, json!("the whole object"))]).await;
    assert!(matches!(server.run("portcullis cat media https://h/a --range 0-3").await, Err(Failure::Unsuccessful(_))));
    assert!(server.asked.lock().unwrap()[0].head.contains("range: bytes=0-3"));
}
