//! `portcullis doctor`: each seeded mistake has its own finding and no other, and a good setup has none.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use portcullis_tests::aws::Fixture;
use portcullis_tests::component::built;
use portcullis_tests::gateway::binary;
use portcullis_tests::scene::{CUSTOMER, GATEWAY_ROLE, GATEWAY_USER, PLATFORM, statements};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::play::play_with;
use crate::plugin_install::install;

/// A setup that a gateway has run on, and its environment.
struct Setup {
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Setup {
    async fn run(&self, changes: &[(&str, Option<&str>)], arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.arg("doctor").args(arguments).current_dir(&self.folder).env_clear().stdin(Stdio::null());
        let mut environment = self.environment.clone();
        for (name, value) in changes {
            match value {
                Some(value) => _ = environment.insert((*name).to_owned(), (*value).to_owned()),
                None => _ = environment.remove(*name),
            }
        }
        command.envs(environment);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// What is not as it should be, as (check, code, outcome); and the exit code fits.
    async fn told(&self, changes: &[(&str, Option<&str>)]) -> Vec<(String, String, String)> {
        let ran = self.run(changes, &["--output", "json"]).await;
        let findings: Vec<Value> = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let mut told = Vec::new();
        for finding in findings {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            assert!(!text("seen").is_empty() && !text("check").is_empty(), "{finding}");
            if finding["outcome"] == "ok" {
                assert_eq!(finding["code"], "ok", "{finding}");
                continue;
            }
            assert!(!text("remedy").is_empty(), "what to do: {finding}");
            told.push((text("check"), text("code"), text("outcome")));
        }
        let failed = told.iter().any(|(.., outcome)| outcome == "failed");
        assert_eq!(ran.status.code(), Some(i32::from(failed)), "{told:?}");
        told
    }

    async fn expect(&self, what: &str, changes: &[(&str, Option<&str>)], check: &str, code: &str, outcome: &str) {
        assert_eq!(self.told(changes).await, [(check.to_owned(), code.to_owned(), outcome.to_owned())], "{what}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// While it lives, the file or folder at `path` is something else.
struct Instead {
    path: PathBuf,
    aside: PathBuf,
}

impl Instead {
    fn of(path: PathBuf) -> Self {
        let aside = path.with_extension("aside");
        fs::rename(&path, &aside).unwrap();
        Self { path, aside }
    }
    fn file(path: PathBuf, text: &[u8], mode: u32) -> Self {
        let instead = Self::of(path);
        fs::write(&instead.path, text).unwrap();
        fs::set_permissions(&instead.path, Permissions::from_mode(mode)).unwrap();
        instead
    }
}

impl Drop for Instead {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
        fs::rename(&self.aside, &self.path).unwrap();
    }
}

/// Answers every request as a server does whose clock stands in the past.
async fn in_the_past() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            _ = stream.read(&mut [0; 1024]).await;
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2015 00:00:00 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    url
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn m23_doctor_names_each_mistake_and_nothing_else() {
    let mut play = play_with(&[("PORTCULLIS__EGRESS__ALLOW_HTTP", "false")]).await;
    install(&play.api, built("https_header")).await;
    let environment: BTreeMap<_, _> = play.gateway.environment().iter().cloned().collect();
    let secret = environment["AWS_SECRET_ACCESS_KEY"].clone();
    let setup = Setup { folder: play.gateway.folder().to_owned(), environment };
    assert_eq!(setup.told(&[]).await, [], "beside the running gateway");
    play.gateway.kill();
    assert_eq!(setup.told(&[]).await, [], "a good setup");

    // The configuration: the first mistake is the only one that can be told.
    for (what, name, value, code) in [
        ("a misspelt variable", "PORTCULLIS__SERVER__LISTNE", "127.0.0.1:1", "unknown_variable"),
        ("AWS sent elsewhere", "AWS_ENDPOINT_URL_STS", "https://sts.example", "redirecting_variable"),
        ("no role", "PORTCULLIS__PLATFORM__ROLE_ARN", "arn:aws:iam::1:role/x", "invalid_value"),
        ("two accounts", "PORTCULLIS__PLATFORM__ACCOUNT_ID", "999999999999", "account_mismatch"),
        ("tokens in the clear", "PORTCULLIS__SERVER__LISTEN", "0.0.0.0:0", "listen_in_the_clear"),
        ("no level", "PORTCULLIS__LOG__LEVEL", "loud", "invalid_value"),
    ] {
        setup.expect(what, &[(name, Some(value))], "configuration", code, "failed").await;
    }
    let inside = setup.path("data/master.key").display().to_string();
    setup.expect("the key beside its lock", &[("PORTCULLIS__VAULT__KEY_FILE", Some(&inside))], "configuration", "key_inside_data", "failed").await;
    let nowhere = [("PORTCULLIS__EGRESS__ALLOW_HTTP", Some("true")), ("PORTCULLIS__EGRESS__ALLOW_NETWORKS", None)];
    setup.expect("plain http anywhere", &nowhere, "configuration", "http_without_networks", "failed").await;
    fs::write(setup.path("portcullis.toml"), "[server]\nlistne = '127.0.0.1:1'\n").unwrap();
    setup.expect("a misspelt key", &[], "configuration", "unknown_key", "failed").await;
    fs::remove_file(setup.path("portcullis.toml")).unwrap();

    // What is in the environment and means nothing.
    setup.expect("a proxy", &[("https_proxy", Some("http://127.0.0.1:1"))], "environment", "ignored_variable", "warning").await;
    setup.expect("one _ too few", &[("PORTCULLIS_SERVER__LISTEN", Some("127.0.0.1:1"))], "environment", "ignored_variable", "warning").await;

    // Data and key.
    mode(&setup.path("data"), 0o755);
    setup.expect("data for everybody", &[], "data_folder", "data_folder_not_private", "failed").await;
    mode(&setup.path("data"), 0o700);
    let below = setup.path("none/at/all").display().to_string();
    let file = setup.path("gateway.log").display().to_string();
    let key = setup.path("data.key").display().to_string();
    let other_data = |data: &str| vec![("PORTCULLIS__DATA_DIR", Some(data.to_owned())), ("PORTCULLIS__VAULT__KEY_FILE", Some(key.clone()))];
    for (what, data, count) in [("a file for a folder", &file, 1), ("a new one", &below, 0)] {
        let changes = other_data(data);
        let changes: Vec<_> = changes.iter().map(|(name, value)| (*name, value.as_deref())).collect();
        let told = setup.told(&changes).await;
        assert_eq!(told.len(), count, "{what}: {told:?}");
        assert!(told.iter().all(|(check, code, _)| (check.as_str(), code.as_str()) == ("data_folder", "data_folder_unusable")), "{what}: {told:?}");
    }
    mode(&setup.path("data.key"), 0o644);
    setup.expect("a key for everybody", &[], "master_key", "master_key_not_private", "failed").await;
    mode(&setup.path("data.key"), 0o600);
    let gone = Instead::of(setup.path("data.key"));
    setup.expect("no key", &[], "master_key", "no_master_key", "failed").await;
    drop(gone);
    for (what, text, code) in [("another key", "ab".repeat(32), "wrong_master_key"), ("no key at all", "hello".to_owned(), "master_key_unusable")] {
        let _other = Instead::file(setup.path("data.key"), text.as_bytes(), 0o600);
        setup.expect(what, &[], "master_key", code, "failed").await;
    }

    // The audit log.
    for (what, path, text, code, outcome) in [
        ("a file for the log's folder", "data/audit", "", "audit_not_writable", "failed"),
        ("another anchor", "data/audit/anchor.json", "{}", "audit_damaged", "warning"),
        ("another end of the log", "data/audit/00000001.jsonl", "{}\n", "audit_damaged", "warning"),
    ] {
        let _other = Instead::file(setup.path(path), text.as_bytes(), 0o600);
        setup.expect(what, &[], "audit", code, outcome).await;
    }
    let gone = Instead::of(setup.path("data/audit"));
    assert_eq!(setup.told(&[]).await, [], "no log yet");
    drop(gone);

    // Addresses.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    setup.expect("an address in use", &[("PORTCULLIS__SERVER__LISTEN", Some(&address))], "listen", "listen_in_use", "failed").await;
    setup.expect("an address in use, for metrics", &[("PORTCULLIS__METRICS__LISTEN", Some(&address))], "metrics", "listen_in_use", "failed").await;
    setup
        .expect(
            "an address of others",
            &[("PORTCULLIS__SERVER__LISTEN", Some("[100::1]:0")), ("PORTCULLIS__SERVER__INSECURE_LISTEN", Some("true"))],
            "listen",
            "listen_failed",
            "failed",
        )
        .await;
    let open = [("PORTCULLIS__SERVER__LISTEN", Some("0.0.0.0:0")), ("PORTCULLIS__SERVER__INSECURE_LISTEN", Some("true"))];
    setup.expect("tokens in the clear, meant", &open, "listen", "listen_in_the_clear", "warning").await;

    // TLS.
    let pem = |name: &str| setup.path(&format!("{name}.pem"));
    let days = |days: u64| std::time::SystemTime::now() + std::time::Duration::from_secs(days * 24 * 3600);
    for (name, until) in [("good", days(400)), ("soon", days(7)), ("late", std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000))] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = until.into();
        fs::write(pem(name), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(pem(&format!("{name}-key")), key.serialize_pem()).unwrap();
        mode(&pem(&format!("{name}-key")), 0o600);
    }
    for (cert, key, code, outcome) in [
        ("none", "good-key", "tls_certificate_unusable", "failed"),
        ("good", "good", "tls_key_unusable", "failed"),
        ("good", "soon-key", "tls_key_mismatch", "failed"),
        ("late", "late-key", "tls_certificate_expired", "failed"),
        ("soon", "soon-key", "tls_certificate_expires_soon", "warning"),
    ] {
        let (cert, key) = (pem(cert).display().to_string(), pem(key).display().to_string());
        setup.expect(code, &[("PORTCULLIS__SERVER__TLS__CERT", Some(&cert)), ("PORTCULLIS__SERVER__TLS__KEY", Some(&key))], "tls", code, outcome).await;
    }
    let (cert, key) = (pem("good").display().to_string(), pem("good-key").display().to_string());
    let everywhere =
        [("PORTCULLIS__SERVER__LISTEN", Some("0.0.0.0:0")), ("PORTCULLIS__SERVER__TLS__CERT", Some(&*cert)), ("PORTCULLIS__SERVER__TLS__KEY", Some(&*key))];
    assert_eq!(setup.told(&everywhere).await, [], "TLS on every address");
    mode(&pem("good-key"), 0o644);
    setup.expect("a key for everybody", &everywhere, "tls", "tls_key_not_private", "warning").await;
    mode(&pem("good-key"), 0o640);
    assert_eq!(setup.told(&everywhere).await, [], "a key for a group");
    setup.expect("half of TLS", &everywhere[..2], "configuration", "tls_incomplete", "failed").await;

    // Egress, sink, cache, plugins.
    setup.expect("every network", &[("PORTCULLIS__EGRESS__ALLOW_NETWORKS", Some("0.0.0.0/0"))], "egress", "networks_too_wide", "warning").await;
    setup.expect("plain http", &[("PORTCULLIS__EGRESS__ALLOW_HTTP", Some("true"))], "egress", "plain_http_allowed", "warning").await;
    setup.expect("no authority", &[("PORTCULLIS__EGRESS__EXTRA_CA", Some(&below))], "egress", "invalid_ca_file", "failed").await;
    let in_a_file = format!("{file}/assets");
    setup.expect("no room for assets", &[("PORTCULLIS__SINK__PATH", Some(&in_a_file))], "sink", "sink_not_writable", "failed").await;
    let cache = Instead::file(setup.path("data-cache"), b"", 0o600);
    setup.expect("no room for compiled plugins", &[], "plugin_cache", "cache_not_writable", "warning").await;
    drop(cache);
    let plugin = fs::read_dir(setup.path("data/plugins")).unwrap().next().unwrap().unwrap().path();
    let other = Instead::file(plugin.clone(), b"\0asm", 0o600);
    setup.expect("another plugin", &[], "plugins", "plugin_file_altered", "failed").await;
    drop(other);
    let gone = Instead::of(plugin);
    setup.expect("no plugin", &[], "plugins", "plugin_file_missing", "failed").await;
    drop(gone);

    // AWS.
    play.aws.load(&Fixture::new().account(CUSTOMER, |account| {
        let user = format!("arn:aws:iam::{PLATFORM}:user/{GATEWAY_USER}");
        let trust = json!([{"Effect": "Allow", "Principal": {"AWS": user}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]);
        account.role("portcullis", statements(trust), None)
    }));
    let theirs = GATEWAY_ROLE.replace(PLATFORM, CUSTOMER);
    let past = in_the_past().await;
    let elsewhere = GATEWAY_ROLE.replace(":role/", ":role/no-");
    for (what, name, value, code, outcome) in [
        ("no role", "PORTCULLIS__PLATFORM__ROLE_ARN", None, "aws_not_configured", "warning"),
        ("nobody there", "PORTCULLIS__AWS__ENDPOINT_URL", Some("http://127.0.0.1:1"), "connection_refused", "failed"),
        ("another time", "PORTCULLIS__AWS__ENDPOINT_URL", Some(past.as_str()), "clock_skew", "failed"),
        ("no credentials", "AWS_SECRET_ACCESS_KEY", None, "gateway_credentials_missing", "failed"),
        ("another secret", "AWS_SECRET_ACCESS_KEY", Some("0123456789012345678901234567890123456789"), "gateway_secret_key_wrong", "failed"),
        ("another key", "AWS_ACCESS_KEY_ID", Some("AKIAIOSFODNN7EXAMPLE"), "gateway_credentials_unknown", "failed"),
        ("a role of another account", "PORTCULLIS__PLATFORM__ROLE_ARN", Some(theirs.as_str()), "another_account", "warning"),
        ("another role", "PORTCULLIS__PLATFORM__ROLE_ARN", Some(elsewhere.as_str()), "gateway_role_cannot_be_assumed", "failed"),
    ] {
        setup.expect(what, &[(name, value)], "aws", code, outcome).await;
    }

    let shown = setup.run(&[("AWS_SECRET_ACCESS_KEY", None)], &[]).await;
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("FAILED   aws") && text.contains("ok       configuration"), "{text}");
    for ran in [&shown, &setup.run(&[], &["--output", "json"]).await] {
        let told = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(!told.contains(&secret) && !told.contains(play.gateway.token()), "{told}");
    }
    assert_eq!(setup.told(&[]).await, [], "it was left as it was");
}
