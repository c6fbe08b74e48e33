//! The command line at a terminal: it asks for the settings of a connector that was installed a moment ago, and shows no secret that is typed.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portcullis_tests::component::built;
use portcullis_tests::gateway::{Gateway, binary};
use serde_json::json;

use crate::cli::{portcullis, with_connection};
use crate::play::play;
use crate::plugin_install::install;

const PATIENCE: Duration = Duration::from_secs(20);

/// A process at a terminal of its own, which `script` (util-linux) makes.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<Vec<u8>>>,
    /// How much of the screen was waited for.
    read: usize,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    fn open(gateway: &Gateway, command: &str) -> Self {
        Self::of_kind("dumb", gateway, command)
    }

    fn of_kind(kind: &str, gateway: &Gateway, command: &str) -> Self {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &format!("tty; exec {} {command}", binary().display()), "/dev/null"]);
        script.env_clear().env("PATH", std::env::var("PATH").unwrap()).env("TERM", kind).env("SHELL", "/bin/sh");
        script.env("PORTCULLIS_URL", gateway.url()).env("PORTCULLIS_TOKEN", gateway.token());
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` of util-linux");
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                written.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { child, keyboard, screen, read: 0, reader: Some(reader) }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// What comes up to and with `text`.
    fn wait_for(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if let Some(at) = screen[self.read..].find(text) {
                let from = self.read;
                self.read = from + at + text.len();
                return screen[from..self.read].to_owned();
            }
            assert!(start.elapsed() < PATIENCE, "no '{text}' comes after: {screen}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn types(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// The terminal shows nothing of what is typed: then it may be.
    fn wait_until_hidden(&self, terminal: &str) {
        let start = Instant::now();
        loop {
            let state = Command::new("stty").args(["-F", terminal, "-a"]).output().unwrap();
            if String::from_utf8_lossy(&state.stdout).split_whitespace().any(|word| word == "-echo") {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "what is typed stays visible");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn ended(mut self) -> (i32, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        };
        self.reader.take().unwrap().join().unwrap();
        (status.code().unwrap(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b08_c02_the_command_line_asks_for_the_settings_of_a_connector_that_was_just_installed() {
    let play = play().await;
    play.origin.put("/key/a.txt", "key a");
    let (source, key) = (play.origin.url("/key/a.txt"), play.origin.settings().api_key.clone());
    install(&play.api, built("https_header")).await;
    let schema = play.api.all("/api/v1/connectors").await.into_iter().find(|connector| connector["id"] == "https_header").unwrap()["settings"].clone();
    assert_eq!(schema["required"], json!(["hostname", "header_name", "api_key"]));
    let title = move |name: &str| schema["properties"][name]["title"].as_str().unwrap().to_owned();

    let command = format!("connection create asked --type https_header --set port:={} --test-location {source}", play.origin.port());
    let mut terminal = Terminal::open(&play.gateway, &command);
    let (tty, api) = (terminal.wait_for("\n").trim().to_owned(), play.api.clone());
    assert!(tty.starts_with("/dev/"), "{tty}");
    let asked = tokio::task::spawn_blocking(move || {
        for (name, answer) in [("hostname", "localhost"), ("header_name", "X-Api-Key")] {
            let question = terminal.wait_for(&format!("{}: ", title(name)));
            assert!(!question.contains("not shown"), "{question}");
            terminal.types(answer);
        }
        terminal.wait_for(&format!("{} (not shown): ", title("api_key")));
        terminal.wait_until_hidden(&tty);
        terminal.types(&key);
        let (code, screen) = terminal.ended();
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("localhost") && screen.contains("ready"), "{screen}");
        assert!(!screen.contains(&key), "what was typed is on the screen: {screen}");
        screen
    });
    let screen = asked.await.unwrap();
    assert!(!screen.contains("Port: "), "what was given is not asked for: {screen}");
    assert_eq!(api.read("asked", &source).await.text(), "key a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_typed_is_judged_by_the_connectors_schema() {
    let play = play().await;
    install(&play.api, built("https_header")).await;
    let mut terminal = Terminal::open(&play.gateway, "connection create asked --type https_header --set hostname=localhost --set header_name=host");
    let tty = terminal.wait_for("\n").trim().to_owned();
    let ended = tokio::task::spawn_blocking(move || {
        terminal.wait_for("(not shown): ");
        terminal.wait_until_hidden(&tty);
        terminal.types("some-key-of-mine");
        terminal.ended()
    });
    let (code, screen) = ended.await.unwrap();
    assert!(code == 1 && screen.contains("/config/header_name") && !screen.contains("some-key-of-mine"), "{code}: {screen}");
    play.api.get("/api/v1/connections/asked").await.problem(404, "connection_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_a_bar_on_a_terminal_and_plain_lines_elsewhere() {
    let (play, source) = with_connection().await;
    let line = format!("ingest --dataset d --connection web_one --wait {source}");
    let drawn = |text: &str| text.contains('\u{2588}');
    let elsewhere = portcullis(&play.gateway, &line.split(' ').collect::<Vec<_>>()).await;
    assert!(elsewhere.code == 0 && elsewhere.err.contains("1/1 assets"), "{}", elsewhere.err);
    assert!(!drawn(&elsewhere.err) && !elsewhere.err.contains(['\r', '\u{1b}']), "{}", elsewhere.err);
    for (kind, bar) in [("xterm", true), ("dumb", false)] {
        let terminal = Terminal::of_kind(kind, &play.gateway, &line);
        let (code, screen) = tokio::task::spawn_blocking(move || terminal.ended()).await.unwrap();
        assert!(code == 0 && drawn(&screen) == bar && screen.contains("1/1 assets"), "{kind}: {code}: {screen}");
    }
}
