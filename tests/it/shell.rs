//! The command line as shells and programs meet it: completions, manual pages, JSON from every verb, exit codes, and no bar where nobody looks.

use std::process::{Command, Stdio};

use portcullis_tests::component::{FIFTH, version};
use portcullis_tests::gateway::binary;
use serde_json::Value;

use crate::cli::{portcullis, with_connection};

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(binary()).args(arguments).env_clear().stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_verbs_and_options_from_the_script_that_is_printed() {
    let complete = |words: &[&str]| {
        let script = "source <(\"$BIN\" completions bash); COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                      _portcullis portcullis \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", script, "bash", "portcullis"]).args(words).env("BIN", binary()).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["conn"]), ["connection"]);
    assert_eq!(complete(&["connection", "cr"]), ["create"]);
    assert_eq!(complete(&["job", "ret"]), ["retry"]);
    assert_eq!(complete(&["ingest", "--data"]), ["--dataset"]);
    assert_eq!(complete(&["completions", "z"]), ["zsh"]);
    assert_eq!(complete(&["compile"]), [""], "the gateway's own verbs are not offered");
}

#[test]
fn there_is_a_script_for_each_shell_and_a_page_for_each_verb() {
    for (shell, mark) in [("zsh", "#compdef portcullis"), ("fish", "complete -c portcullis"), ("bash", "complete -F _portcullis")] {
        assert!(printed(&["completions", shell]).contains(mark), "{shell}");
    }
    let page = printed(&["man"]);
    assert!(page.contains(".TH portcullis 1") && page.contains("Exit codes") && !page.contains("compile-plugin"), "{page}");
    let page = printed(&["man", "connection", "create"]);
    assert!(page.contains(".TH portcullis-connection-create 1") && page.contains("aws_iam_role"), "{page}");
    let output = Command::new(binary()).args(["man", "nothing"]).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn c02_the_exit_codes_are_in_the_help_and_in_the_readme() {
    let help = printed(&["--help"]);
    let readme = std::fs::read_to_string(portcullis_tests::ministack::root().join("README.md")).unwrap();
    let documented: Vec<&str> = help.lines().skip_while(|line| *line != "Exit codes:").skip(1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(documented.len(), 5, "{help}");
    for line in documented {
        let (code, words) = line.trim().split_once("  ").unwrap();
        assert!(readme.contains(&format!("| {code} | {words} |")), "README does not say: {line}");
    }
}

#[test]
fn c02_a_usage_error_is_json_for_who_asks_for_json_and_words_for_others() {
    let ran = |arguments: &[&str]| {
        let output = Command::new(binary()).args(arguments).env_clear().stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for json in [&["--output", "json"][..], &["-o", "json"], &["--output=json"]] {
        let problem: Value = serde_json::from_str(&ran(&[&["cat", "media"], json].concat())).unwrap();
        assert_eq!(problem["code"], "usage");
        assert!(problem["detail"].as_str().unwrap().contains("<SOURCE_PATH>") && problem["remedy"] == "see --help", "{problem}");
    }
    assert!(ran(&["cat", "media"]).contains("Usage: portcullis cat"));
}

/// Whatever a verb answers, a program can read it.
#[tokio::test]
async fn c02_every_verb_prints_json_when_it_is_asked_to() {
    let (play, source) = with_connection().await;
    let (first, second) = (play.gateway.folder().join("first.wasm"), play.gateway.folder().join("second.wasm"));
    std::fs::write(&first, version(1)).unwrap();
    std::fs::write(&second, version(2)).unwrap();
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let missing = source.replace("cli.bin", "none.bin");
    let json = async |line: &str, code: i32| {
        let arguments: Vec<&str> = line.split(' ').chain(["--output", "json"]).collect();
        let ran = portcullis(&play.gateway, &arguments).await;
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
        if code != 0 {
            let problem: Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap_or_else(|error| panic!("{line}: {error}: {}", ran.err));
            assert!(problem["code"].is_string() && problem["detail"].is_string(), "{line}: {problem}");
        }
        // What was refused has no result.
        let out = if code != 0 && ran.out.is_empty() { b"null".to_vec() } else { ran.out };
        serde_json::from_slice::<Value>(&out).unwrap_or_else(|error| panic!("{line}: {error}: {}", String::from_utf8_lossy(&out)))
    };
    json("version", 0).await;
    json("config", 0).await;
    let reserve = "--set iam_role_arn=arn:aws:iam::000000000000:role/temporary --set bucket_name=my-bucket";
    json(&format!("connection create reserved --type aws_iam_role {reserve}"), 0).await;
    json("connection edit reserved --description new", 0).await;
    json("connection setup reserved", 0).await;
    json("connection test reserved", 1).await;
    json("connection list", 0).await;
    json("connection get web_one", 0).await;
    json("connection test web_one", 0).await;
    json("connection move web_one", 0).await;
    json("connection delete reserved", 0).await;
    json(&format!("plan web_one {source}"), 0).await;
    json("ls portcullis --bucket nowhere --limit 1", 3).await;
    json("connection get nobody", 3).await;
    json(&format!("sign web_one {source}"), 0).await;
    json("dataset set d --default-connection web_one", 0).await;
    json("dataset get d", 0).await;
    let job = json(&format!("ingest --dataset d --connection web_one {source} {missing}"), 0).await;
    let id = job["job_id"].as_str().unwrap();
    json(&format!("job wait {id}"), 1).await;
    json(&format!("job retry {id} --wait"), 1).await;
    json("job list", 0).await;
    json(&format!("job get {id}"), 0).await;
    let assets = json(&format!("job assets {id}"), 0).await;
    json(&format!("asset get {}", assets[0]["asset_id"].as_str().unwrap()), 0).await;
    json("organization create acme", 0).await;
    json("organization list", 0).await;
    json("organization delete acme", 0).await;
    let token = json("token create --name t --role member", 0).await;
    json("token list", 0).await;
    json(&format!("token revoke {}", token["token_id"].as_str().unwrap()), 0).await;
    let installed = json(&format!("plugin install {first} --yes"), 0).await;
    json(&format!("plugin upgrade {second} --yes"), 0).await;
    json(&format!("plugin rollback {FIFTH} {}", installed["digest"].as_str().unwrap()), 0).await;
    json("plugin list", 0).await;
    json(&format!("plugin inspect {FIFTH}"), 0).await;
    json(&format!("plugin remove {FIFTH}"), 0).await;
}
