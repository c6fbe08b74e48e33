//! The documents for users, followed to the letter: `docs/api.md`, each command and each answer, and README's way to the first asset.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use portcullis_tests::aws::AwsDouble;
use portcullis_tests::gateway::binary;
use portcullis_tests::ministack::root;
use portcullis_tests::scene::{CUSTOMER, GATEWAY_USER, PLATFORM, fixture, trust};
use serde_json::Value;

use crate::play::play;

const MOST_COMMANDS: usize = 10;
const END: &str = "@end of the commands";

/// The fenced blocks of a document: their language and their text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language.to_owned(), text.join("\n")));
        }
    }
    blocks
}

/// One shell that is given command after command, as somebody types them. What it started ends with it.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    fn start(command: &mut Command) -> Self {
        command.args(["--norc", "--noprofile", "-c"]).arg(format!(
            "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\nset -eo pipefail\nwhile IFS= read -r -d '' commands; do eval \"$commands\"; printf '\\n%s\\n' '{END}'; done"
        ));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// What they print. A command that fails ends the shell, and so the test.
    fn run(&mut self, commands: &str) -> String {
        self.input.write_all(commands.as_bytes()).unwrap();
        self.input.write_all(&[0]).unwrap();
        self.input.flush().unwrap();
        let mut said = String::new();
        loop {
            let from = said.len();
            assert!(self.output.read_line(&mut said).unwrap() > 0, "a command failed:\n{commands}\n{said}");
            if said[from..].trim_end() == END {
                said.truncate(from);
                return said.trim().to_owned();
            }
        }
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

/// Whether `found` has all that is shown; `…` is anything.
fn shows(shown: &Value, found: &Value) -> bool {
    match (shown, found) {
        (Value::String(text), found) if text == "…" => !found.is_null(),
        (Value::Object(shown), Value::Object(found)) => shown.iter().all(|(name, value)| found.get(name).is_some_and(|found| shows(value, found))),
        (Value::Array(shown), Value::Array(found)) => shown.len() == found.len() && shown.iter().zip(found).all(|(shown, found)| shows(shown, found)),
        (shown, found) => shown == found,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c12_c13_c34_c36_c40_every_command_of_the_api_guide_works_and_answers_as_it_says() {
    let play = play().await;
    let blocks = blocks(&std::fs::read_to_string(root().join("docs/api.md")).unwrap());
    let mut command = Command::new("bash");
    command.env("PORTCULLIS_URL", play.gateway.url()).env("PORTCULLIS_TOKEN", play.gateway.token()).env("no_proxy", "127.0.0.1");
    let mut shell = Shell::start(&mut command);
    let (mut said, mut commands, mut answers) = (String::new(), 0, 0);
    for (language, text) in &blocks {
        match language.as_str() {
            "sh" => {
                said = tokio::task::block_in_place(|| shell.run(text));
                commands += 1;
                if text.contains("/setup") {
                    let answer: Value = serde_json::from_str(&said).unwrap();
                    play.aws.trust(CUSTOMER, "media/reader", &trust(answer["external_id"].as_str()));
                }
            }
            "json" => {
                let shown: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
                let found: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
                assert!(shows(&shown, &found), "it is said to answer\n{text}\nand answers\n{found:#}");
                answers += 1;
            }
            _ => assert_eq!(*text, said),
        }
    }
    shell.end();
    assert!(commands >= 15 && answers >= 12, "{commands} commands, {answers} answers");
}

/// From a clone to an asset out of a bucket, in a shell of its own. What `make build` takes is not counted: it was built before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c02_c12_c13_the_first_asset_takes_at_most_ten_commands_of_the_readme() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, section) = text.split_once("## The first asset").expect("README says how to get to the first asset");
    let (_, listed) = blocks(section).remove(0);
    let joined = listed.replace("\\\n", " ");
    let commands: Vec<&str> = joined.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!((5..=MOST_COMMANDS).contains(&commands.len()), "{} commands: {commands:#?}", commands.len());

    let aws = AwsDouble::with(&fixture()).await;
    let keys = aws.user_credentials(PLATFORM, GATEWAY_USER);
    let clone = tempfile::tempdir().unwrap();
    built(clone.path());
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("bash");
    command.current_dir(&clone).env_clear().env("PATH", format!("{}:{}", clone.path().join("tools").display(), std::env::var("PATH").unwrap()));
    // Where AWS is, and which port is free here. All else is as anybody has it.
    command.env("HOME", clone.path()).env("PORTCULLIS__SERVER__LISTEN", listen.to_string()).env("PORTCULLIS_URL", format!("http://{listen}"));
    command.env("PORTCULLIS__AWS__ENDPOINT_URL", aws.endpoint().as_str().trim_end_matches('/')).env("PORTCULLIS__AWS__PATH_STYLE", "true");
    command.env("PORTCULLIS__EGRESS__ALLOW_NETWORKS", "127.0.0.0/8").env("PORTCULLIS__EGRESS__ALLOW_HTTP", "true").env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ACCESS_KEY_ID", keys.access_key_id).env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key);
    let start = Instant::now();
    let mut shell = Shell::start(&mut command);
    let mut said = String::new();
    for command in &commands {
        said = tokio::task::block_in_place(|| shell.run(command));
        if command.contains(" setup ") {
            // The customer pastes what is printed: it has the id that the role must ask for.
            let id = said.split(['"', ' ', '\n', '\'']).find(|word| word.starts_with("pc-")).unwrap_or_else(|| panic!("no external id in {said}"));
            aws.trust(CUSTOMER, "media/reader", &trust(Some(id)));
        }
    }
    assert!(said.contains("completed") && commands.last().unwrap().contains("ingest"), "{said}");
    println!("from the clone to the first asset: {} commands, {:?} without the build", commands.len(), start.elapsed());
    shell.end();
}

/// The clone as `make build` leaves it, and a `make` that has nothing left to do.
fn built(clone: &Path) {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (release, tools) = (clone.join("target/release"), clone.join("tools"));
    for folder in [&release, &tools] {
        std::fs::create_dir_all(folder).unwrap();
    }
    symlink(binary(), release.join("portcullis")).unwrap();
    std::fs::write(tools.join("make"), "#!/bin/sh\n[ \"$*\" = build ]\n").unwrap();
    std::fs::set_permissions(tools.join("make"), std::fs::Permissions::from_mode(0o755)).unwrap();
}
