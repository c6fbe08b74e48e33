//! The web page in a real browser, each flow from end to end: the flows are in tests/browser, the scene around them is set here.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::Method;
use portcullis_tests::component::{built, greedy, named, patched, version};
use portcullis_tests::ministack::root;
use portcullis_tests::origin::Fault;
use portcullis_tests::scene::{CUSTOMER, MEDIA, ODD_KEYS, READER_ROLE, trust};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::play::{Play, play};

/// Between two lines of a flow: a debug build on a machine that does something else, too.
const PATIENCE: Duration = Duration::from_secs(120);
/// Keys that must not become markup, nor turn the text around them.
const HOSTILE_KEYS: [&str; 2] = ["odd/<img src=x onerror=\"alert(1)\">", "odd/gpj.\u{202e}cat\u{200b}.txt"];

macro_rules! flows {
    ($($name:ident: $flow:literal),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            follow($flow).await;
        }
    )* };
}

flows! {
    m22_c39_one_signs_in_with_a_token_and_is_told_when_it_ends: "sign-in",
    c02_c04_l04_l12_l14_connections_are_listed_filtered_and_tested: "connections",
    c02_l01_l02_v02_v08_c07_a_role_is_reserved_before_it_exists_then_entered_and_ready: "wizard-role",
    c02_c21_c25_p13_v10_a_connection_with_a_secret_is_made_edited_disabled_and_deleted: "wizard-secret",
    c23_objects_are_browsed_previewed_and_downloaded: "browse",
    l09_b05_l08_a_page_of_another_origin_reads_by_signed_urls: "signed",
    c13_c34_c35_c36_l17_a_job_is_followed_and_its_failed_ones_tried_again: "ingest",
    b08_a_connector_is_dropped_in_granted_used_replaced_and_removed: "plugins",
    c39_a_token_is_shown_once_and_revoked_at_once: "tokens",
    b14_uses_and_changes_are_read_and_narrowed: "audit",
    c05_what_a_role_may_not_do_is_not_shown: "roles",
    c40_each_kind_of_trouble_says_what_to_do: "trouble",
    a17_s15_what_others_wrote_is_text: "hostile-text",
    c40_v02_a_form_is_drawn_from_any_schema: "schema",
    c40_the_api_is_read_searched_and_tried_from_its_own_page: "docs",
    the_keyboard_is_enough: "keyboard",
}

/// The program that runs a flow. Panics with what to run where something is missing: a test is never skipped.
fn program(flow: &str) -> Command {
    assert!(root().join("target/browser/installed").exists(), "the browser's tools are not installed: run `scripts/browser install` (`make test` does)");
    assert!(PathBuf::from("/usr/bin/chromium").exists(), "chromium is not installed: run `scripts/deps test` (`make test` does)");
    let mut command = Command::new("node");
    command.arg(root().join("tests/browser/run.mjs")).arg(flow);
    command
}

fn media(name: &str) -> Vec<u8> {
    std::fs::read(root().join("examples/media").join(name)).unwrap()
}

/// Fills what the customer has, and says where it is.
fn set(play: &Play) -> Value {
    let folder = play.gateway.folder();
    for name in ["fractal.png", "life.jpg", "pattern.mp4", "orbits.csv"] {
        play.aws.put(MEDIA, &format!("train/{name}"), media(name));
    }
    let active = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>";
    for (name, text) in [
        ("drawing.svg", active),
        ("page.html", "<script>alert(3)</script>"),
        ("no-image.png", "no image"),
        ("empty.txt", ""),
        ("script.js", "window.evil = true"),
    ] {
        play.aws.put(MEDIA, &format!("train/{name}"), text);
    }
    for key in HOSTILE_KEYS {
        play.aws.put(MEDIA, key, key);
    }
    // What the check of a connector that breaks later asks for.
    play.origin.put("/", "root");
    for path in ["/basic/a.txt", "/bearer/a.txt"] {
        play.origin.put(path, path[1..].replace("/a.txt", " a"));
    }
    for index in 0..40 {
        play.origin.put(&format!("/basic/many/{index}.txt"), format!("one of many: {index}"));
    }
    let file = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let odd: Vec<&str> = ODD_KEYS.iter().filter_map(|key| key.strip_prefix("odd/")).filter(|rest| !rest.contains('/')).collect();
    let settings = play.origin.settings();
    json!({
        "url": play.gateway.url(), "token": play.gateway.token(), "role": READER_ROLE, "bucket": MEDIA, "odd": odd,
        "origin_port": play.origin.port(), "username": settings.username, "password": settings.password, "bearer": settings.token,
        "image": root().join("examples/media/fractal.png"),
        "first": file("first.wasm", version(1)), "second": file("second.wasm", version(2)), "greedy": file("greedy.wasm", greedy("evil.example").0),
        "failing": file("failing.wasm", built("hostile")),
        "hostile": file("hostile.wasm", patched(named("evil_plugins"), "HTTPS with a bearer token", "<img src=x onerror=a()> x")),
    })
}

/// What happens in the world while somebody looks at the page.
fn perform(play: &mut Play, line: &str) -> String {
    let asked: Value = serde_json::from_str(line).unwrap();
    let number = |name: &str| asked[name].as_u64().unwrap();
    match asked["deed"].as_str() {
        Some("trust") => play.aws.trust(CUSTOMER, "media/reader", &trust(asked["external_id"].as_str())),
        Some("slow") => {
            let times = u32::try_from(number("requests")).unwrap();
            play.origin.fail(times, Fault::Late(Duration::from_millis(number("milliseconds"))));
        }
        Some("put") => play.origin.put(asked["path"].as_str().unwrap(), "put later"),
        Some("kill") => play.gateway.kill(),
        _ => return format!("nobody knows how: {asked}"),
    }
    "done".to_owned()
}

/// Ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

async fn follow(flow: &str) {
    let mut play = play().await;
    let scene = set(&play);
    let errors = play.gateway.folder().join("flow.log");
    let mut command = program(flow);
    command.env("PAGE_SCENE", scene.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
    let mut running = Running(command.spawn().unwrap());
    let (mut input, output) = (running.0.stdin.take().unwrap(), running.0.stdout.take().unwrap());
    let (sender, mut lines) = mpsc::channel(64);
    std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.blocking_send(line).is_ok()));
    let mut said = String::new();
    while let Some(line) = timeout(PATIENCE, lines.recv()).await.unwrap_or_else(|_| panic!("{flow} says nothing any more:\n{said}")) {
        match line.strip_prefix('@') {
            Some(asked) => writeln!(input, "{}", perform(&mut play, asked)).unwrap(),
            None => {
                println!("{line}");
                said = said + &line + "\n";
            }
        }
    }
    drop(input);
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{flow}: {status}\n{said}\n{}", std::fs::read_to_string(errors).unwrap_or_default());
}

#[tokio::test]
async fn m22_a13_the_page_has_headers_of_its_own_and_the_api_trusts_no_cookie_and_no_origin() {
    let play = play().await;
    let nobody = play.api.with_token("");
    let page = nobody.get("/").await;
    assert_eq!((page.status.as_u16(), &page.headers["content-type"]), (200, &"text/html; charset=utf-8".parse().unwrap()));
    let docs = nobody.get("/docs").await;
    assert_eq!((docs.status.as_u16(), &docs.headers["content-security-policy"]), (200, &page.headers["content-security-policy"]));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for part in ["default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"] {
        assert!(policy.split("; ").any(|one| one == part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(page.headers[name], value, "{name}");
    }
    let text = page.text();
    assert!(!text.contains("<script>") && !text.contains("style=") && !text.contains("<style"), "nothing is inline: {text}");

    // Each file it names is there, for ever; another name is not.
    let etag = page.headers["etag"].to_str().unwrap();
    assert_eq!(nobody.send(Method::GET, "/", &[("if-none-match", etag)], None).await.status, 304);
    let named: Vec<&str> = text.split('"').filter(|part| part.starts_with("/page/")).collect();
    assert!(named.len() >= 6, "{text}");
    for file in &named {
        let answer = nobody.get(file).await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable") && answer.headers["x-content-type-options"] == "nosniff", "{file}");
    }
    let other = named[0].replacen("/page/", "/page/0", 1);
    for path in [other.as_str(), "/page/x/../../Cargo.toml", "/page//main.js", "/index.html"] {
        nobody.get(path).await.problem(404, "no_such_route");
    }
    nobody.send(Method::POST, "/", &[], None).await.problem(405, "method_not_allowed");

    // Nobody else's page gets anything from the API, whatever a browser adds by itself.
    let token = play.gateway.token();
    let cookie = format!("token={token}; __Host-token={token}");
    for origin in ["https://evil.example", "null"] {
        let sent = [("origin", origin), ("cookie", cookie.as_str()), ("content-type", "text/plain")];
        let answer = nobody.send(Method::POST, "/api/v1/connections", &sent, Some(b"{}".to_vec())).await;
        answer.problem(401, "unauthorized");
        let allowed = play.api.send(Method::POST, "/api/v1/connections", &[("origin", origin), ("content-type", "text/plain")], Some(b"{}".to_vec())).await;
        allowed.problem(415, "unsupported_media_type");
        let read = play.api.send(Method::GET, "/api/v1/connections", &[("origin", origin)], None).await;
        for answer in [&answer, &allowed, &read, &page] {
            assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")) && !answer.headers.contains_key("set-cookie"));
        }
    }
    nobody.get(&format!("/api/v1/connections?token={token}")).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn c05_a_caller_is_told_who_it_is() {
    let play = play().await;
    play.api.with_token("").get("/api/v1/whoami").await.problem(401, "unauthorized");
    let operator = play.api.get("/api/v1/whoami").await.expect(200);
    assert_eq!((&operator["role"], &operator["organization"], &operator["name"]), (&json!("operator"), &json!("default"), &json!("bootstrap")));
    play.api.post("/api/v1/organizations", &json!({"organization": "acme"})).await.expect(201);
    let minted = play.api.post("/api/v1/tokens", &json!({"name": "x", "role": "member", "organization": "acme"})).await.expect(201);
    let member = play.api.with_token(minted["token"].as_str().unwrap()).get("/api/v1/whoami").await.expect(200);
    assert_eq!((&member["role"], &member["organization"], &member["token_id"]), (&json!("member"), &json!("acme"), &minted["token_id"]));
    assert!(member.get("token").is_none() && member.get("hash").is_none(), "{member}");
}
