//! Every connector of the tree, each with the remote that it reads: one table, for the tests that hold of all of them.

use portcullis_tests::api::Api;
use portcullis_tests::aws::{AwsDouble, sha256_hex};
use portcullis_tests::azurite::Azurite;
use portcullis_tests::component::{built, example};
use portcullis_tests::gateway::{Gateway, Given};
use portcullis_tests::origin::guard::{BUCKET, TOKEN_PATH};
use portcullis_tests::origin::{Origin, Settings};
use portcullis_tests::scene::{AGREED_ROLE, CUSTOMER, MEDIA, MEDIA_REGION, NEAR, READER_ROLE, fixture, shared_with, trust};
use serde_json::{Value, json};

const ACCOUNT: &str = "acmemedia";
/// 64 bytes in base64, as Azure's keys are.
const ACCOUNT_KEY: &str = "Q2FuYXJ5LWF6dXJlLWtleS05YzQxZjcwYjJkNmUtOGEzNTBlMWY3YzI5NGI2ZC1DYW5hcnktYXp1cmUta2V5LTE5ZQ==";
const FOLDER: &str = "films";
const NAMES: [&str; 3] = ["one", "two", "three"];

pub struct Remotes {
    pub aws: AwsDouble,
    pub origin: Origin,
    pub azurite: Azurite,
}

pub struct Kind {
    pub id: &'static str,
    /// `None`: it came with the gateway.
    pub component: Option<Vec<u8>>,
    pub settings: Value,
    /// Which of the settings are secret.
    pub secrets: &'static [&'static str],
    /// The role of the customer's account that has to trust the connection.
    role: Option<&'static str>,
    /// Source paths, and what is there.
    pub files: Vec<(String, String)>,
    /// A source path that it refuses, and how.
    pub outside: (&'static str, u16, &'static str),
    /// Prefix, and the source paths and prefixes below it. `None`: it lists nothing.
    pub listing: Option<(&'static str, Vec<String>)>,
}

impl Remotes {
    pub async fn start() -> Self {
        let secrets = Settings {
            password: "pw-Canary/7f3a9c51e2+d4 ü".into(),
            token: "bt-Canary.b81e5d07f6a94c".into(),
            api_key: "ak-Canary 3d90c1e8b2f74a".into(),
            client_secret: "cs-Canary/=& %58d1b6e0c7".into(),
            hmac_secret: "hs/Canary+4e7b19d3a8c605f2".into(),
            ..Settings::default()
        };
        let remotes =
            Self { aws: AwsDouble::with(&fixture()).await, origin: Origin::with(secrets).await.unwrap(), azurite: Azurite::start(ACCOUNT, ACCOUNT_KEY).await };
        remotes.fill().await;
        remotes
    }

    async fn fill(&self) {
        let (aws, origin, azurite) = (&self.aws, &self.origin, &self.azurite);
        // The double's bucket policies speak of organizations: this one is ours.
        aws.bucket_policy(NEAR, Some(&shared_with(NEAR, "default")));
        azurite.make_container(ACCOUNT, "media").await;
        for name in NAMES {
            let file = format!("{FOLDER}/{name}.txt");
            for bucket in [MEDIA, NEAR] {
                aws.put(bucket, &file, content(bucket, name));
            }
            for tree in ["public", "basic", "bearer", "key", "oauth", BUCKET] {
                origin.put(&format!("/{tree}/{file}"), content(tree, name));
            }
            origin.put(&format!("/api/v4/projects/17/repository/files/{FOLDER}%2F{name}.txt/raw"), content("gitlab", name));
            let digest = sha256_hex(content("sha256", name).as_bytes());
            origin.put(&format!("/bearer/{}/{}/{digest}", &digest[..2], &digest[2..4]), content("sha256", name));
            azurite.put(ACCOUNT, &format!("media/{file}"), content("azure", name).as_bytes()).await;
        }
        // What a check without a test location asks for, and what is listed.
        for root in ["/public/", "/basic/", "/bearer/", "/key/", "/oauth/"] {
            origin.put(root, "<a href=\"../\">up</a> <a href=\"a.txt\">a</a> <a href=\"deep/\">deep</a> <a href=\"https://evil.example/x\">x</a>");
        }
        let tree = json!([{"id": "1f", "path": "deep/a.txt", "type": "blob"}, {"id": "2f", "path": "deep/er", "type": "tree"}]);
        origin.put("/api/v4/projects/17/repository/tree", tree.to_string());
    }

    /// What a gateway needs to read all of them.
    pub fn given(&self) -> Given {
        let authorities = format!("{},{}", self.origin.ca().display(), self.azurite.ca().display());
        Given::default().aws(&self.aws).variable("PORTCULLIS__EGRESS__EXTRA_CA", authorities).compiled()
    }

    /// On the origin.
    fn web(&self, more: Value) -> Value {
        let mut settings = json!({"hostname": "localhost", "port": self.origin.port()});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    fn kind(&self, id: &'static str, tree: &str, settings: Value, secrets: &'static [&'static str]) -> Kind {
        let files = NAMES.iter().map(|name| (self.origin.url(&format!("/{tree}/{FOLDER}/{name}.txt")), content(tree, name))).collect();
        let outside = ("https://evil.example/x", 403, "scope_violation");
        Kind { id, component: None, settings, secrets, role: None, files, outside, listing: None }
    }

    fn s3(&self, id: &'static str, bucket: &str, settings: Value, role: Option<&'static str>) -> Kind {
        let source = |name: &str| format!("s3://{bucket}/{FOLDER}/{name}.txt");
        let files = NAMES.iter().map(|name| (source(name), content(bucket, name))).collect();
        let mut listed: Vec<String> = NAMES.iter().map(|name| source(name)).collect();
        listed.sort();
        let listing = Some(("films/", listed));
        Kind { id, component: None, settings, secrets: &[], role, files, outside: ("s3://elsewhere/x", 403, "scope_violation"), listing }
    }

    /// Those that come with the gateway.
    pub fn built_in(&self) -> Vec<Kind> {
        let settings = self.origin.settings();
        vec![
            self.s3("aws_iam_role", MEDIA, json!({"iam_role_arn": READER_ROLE, "bucket_name": MEDIA}), Some("media/reader")),
            self.s3("aws_bucket_policy", NEAR, json!({"bucket_name": NEAR}), None),
            self.kind("https_basic", "basic", self.web(json!({"username": settings.username, "password": settings.password})), &["password"]),
            self.kind("https_bearer", "bearer", self.web(json!({"bearer_token": settings.token})), &["bearer_token"]),
        ]
    }

    /// Those that come as files.
    pub fn files(&self) -> Vec<Kind> {
        let settings = self.origin.settings();
        let oauth = json!({
            "path_prefix": "oauth", "token_path": TOKEN_PATH, "client_id": settings.client_id, "client_secret": settings.client_secret, "scope": "files.read",
        });
        let hmac = json!({"bucket_name": BUCKET, "access_id": settings.access_id, "secret": settings.hmac_secret});
        let azure = json!({
            "account_name": ACCOUNT, "account_key": ACCOUNT_KEY, "container": format!("{ACCOUNT}/media"), "hostname": "localhost", "port": self.azurite.port(),
        });
        let mut kinds = vec![
            self.s3("aws_account_role", MEDIA, json!({"account_id": CUSTOMER, "region": MEDIA_REGION, "bucket_name": MEDIA}), Some(AGREED_ROLE)),
            self.kind("https_oauth2", "oauth", self.web(oauth), &["client_secret"]),
            self.kind("https_header", "key", self.web(json!({"header_name": "X-Api-Key", "api_key": settings.api_key})), &["api_key"]),
            self.kind("https_public", "public", self.web(json!({"path_prefix": "public"})), &[]),
            self.kind("azure_blob", "azure", azure, &["account_key"]),
            Kind { outside: ("gs://elsewhere/x", 403, "scope_violation"), ..self.kind("gcs_hmac", BUCKET, self.web(hmac), &["secret"]) },
        ];
        for kind in &mut kinds {
            match kind.id {
                "azure_blob" => {
                    let url = |name: &str| format!("https://localhost:{}/{ACCOUNT}/media/{FOLDER}/{name}.txt", self.azurite.port());
                    kind.files = NAMES.iter().map(|name| (url(name), content("azure", name))).collect();
                }
                "gcs_hmac" => kind.files = NAMES.iter().map(|name| (format!("gs://{BUCKET}/{FOLDER}/{name}.txt"), content(BUCKET, name))).collect(),
                _ => {}
            }
            kind.component = Some(built(kind.id));
        }
        kinds
    }

    /// Those of `examples/`, in C, JavaScript and Python.
    pub fn examples(&self) -> Vec<Kind> {
        let settings = self.origin.settings();
        let digests = NAMES.iter().map(|name| content("sha256", name)).map(|content| (format!("sha256:{}", sha256_hex(content.as_bytes())), content));
        let paths = NAMES.iter().map(|name| (format!("{FOLDER}/{name}.txt"), content("gitlab", name)));
        let folder = self.origin.url("/basic/");
        let mut kinds = vec![
            Kind {
                files: digests.collect(),
                outside: ("sha256:../..", 400, "invalid_digest"),
                ..self.kind("sha256_store", "bearer", self.web(json!({"folder": "bearer", "access_token": settings.token})), &["access_token"])
            },
            Kind {
                files: paths.collect(),
                outside: ("gitlab://18/x", 403, "scope_violation"),
                listing: Some(("deep", vec!["gitlab://17/deep/a.txt".to_owned(), "gitlab://17/deep/er/".to_owned()])),
                ..self.kind("gitlab_repository", "api", self.web(json!({"project_id": "17", "access_token": settings.token})), &["access_token"])
            },
            Kind {
                listing: Some(("", vec![format!("{folder}a.txt"), format!("{folder}deep/")])),
                ..self.kind(
                    "https_index",
                    "basic",
                    self.web(json!({"folder": "basic", "username": settings.username, "password": settings.password})),
                    &["password"],
                )
            },
        ];
        for kind in &mut kinds {
            kind.component = Some(example(kind.id));
        }
        kinds
    }

    /// How often somebody was asked, whoever it was.
    pub fn asked(&self) -> usize {
        self.aws.journal().len() + self.origin.journal().len()
    }
}

/// What is in a file: its first ten bytes are digits.
fn content(tree: &str, name: &str) -> String {
    format!("0123456789 {tree} {name}")
}

impl Kind {
    #[must_use]
    pub fn body(&self, name: &str) -> Value {
        json!({"name": name, "type": self.id, "config": self.settings, "test_location": self.files[0].0})
    }

    /// What its customer does after reading the setup page.
    pub fn trusted(&self, remotes: &Remotes, made: &Value) {
        if let Some(role) = self.role {
            remotes.aws.trust(CUSTOMER, role, &trust(made["external_id"].as_str()));
        }
    }
}

/// Uploads a component; the answer. What takes longer to compile than a request may last is there when it is asked for again.
pub async fn uploaded(gateway: &Gateway, api: &Api, kind: &Kind) -> Value {
    let component = kind.component.clone().unwrap();
    let cached = gateway.folder().join("data-cache");
    let digest = sha256_hex(&component);
    for _ in 0..3 {
        let answer = crate::plugin_install::upload(api, component.clone()).await;
        if !["answer_timeout", "component_too_complex"].contains(&answer.code().as_str()) {
            assert!(answer.status.is_success(), "{}: {}", kind.id, answer.text());
            gateway.keep_compiled();
            return answer.json();
        }
        let start = std::time::Instant::now();
        let compiled = || std::fs::read_dir(&cached).unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(&digest));
        while !compiled() && start.elapsed().as_secs() < 120 {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
    panic!("{} is not compiled in minutes", kind.id);
}
