//! A double of an https origin: its own certificate authority, a public tree, trees behind a password, a token, a key, an OAuth 2 access token and a
//! signature, and faults on demand.
//!
//! Paths are compared as they come over the wire. It must never answer what was not authorized, and writes down what it saw.

pub mod guard;
mod serve;
mod tls;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use tls::{Certificate, write_pem};

const JOURNAL: usize = 100_000;

/// Runs until it is dropped.
pub struct Origin {
    state: Arc<State>,
    port: u16,
    ca: PathBuf,
    server: JoinHandle<()>,
    _folder: Option<TempDir>,
}

#[derive(Clone)]
pub struct Settings {
    pub listen: String,
    pub username: String,
    pub password: String,
    pub token: String,
    /// The header that opens `/key/`, lower case, and its value.
    pub key_header: String,
    pub api_key: String,
    /// Of the client that may have access tokens for `/oauth/`, which are good for `token_life` seconds.
    pub client_id: String,
    pub client_secret: String,
    pub token_life: u64,
    /// The HMAC key that opens `/gcs-media/`.
    pub access_id: String,
    pub hmac_secret: String,
    pub certificate: Certificate,
    /// Where the authority's certificate is written; a temporary folder when `None`.
    pub ca: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".into(),
            username: "ingest".into(),
            password: "p:w d/ü".into(),
            token: "tok-8f2e6c".into(),
            key_header: "x-api-key".into(),
            api_key: "key-41d0c9 with space".into(),
            client_id: "re:ader ü".into(),
            client_secret: "cs-7c55+/=& %".into(),
            token_life: 600,
            access_id: "GOOG1EXAMPLE0123456789".into(),
            hmac_secret: "hs/7Qk0mZ3vEXAMPLE+secretEXAMPLE0123456789".into(),
            certificate: Certificate::Good,
            ca: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Status(u16),
    /// 429 or 503 with `Retry-After`.
    RetryAfter(u16, u32),
    Redirect(u16, String),
    /// The head promises all, half of it comes.
    Truncate,
    /// The body in pieces of `bytes`, each after `pause`.
    Slow {
        bytes: usize,
        pause: Duration,
    },
    /// Nothing at all for this long.
    Late(Duration),
    /// A 206 about other bytes than were asked for.
    WrongContentRange,
    /// 200 and the whole object, whatever range was asked for.
    IgnoreRange,
    /// Says that the body is gzip, which it is not.
    Encoded,
    /// The connection closes without an answer.
    Hangup,
    /// 401 that asks for this (`WWW-Authenticate`).
    Challenge(&'static str),
    /// 200 with a page, whatever was asked for: a portal to log in at.
    Page,
    /// More headers than anybody reads.
    ManyHeaders,
}

/// What a request looked like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub host: String,
    /// As sent, with the query.
    pub target: String,
    pub authorization: Option<String>,
    /// The others, by name.
    pub headers: BTreeMap<String, String>,
    pub status: u16,
}

#[derive(Clone)]
enum Content {
    Bytes(Bytes),
    Generated(u64),
}

struct State {
    settings: Settings,
    objects: Mutex<BTreeMap<String, (Content, String)>>,
    faults: Mutex<VecDeque<(u32, Fault)>>,
    tokens: Mutex<Vec<guard::Issued>>,
    journal: Mutex<VecDeque<Seen>>,
}

impl Origin {
    pub async fn start() -> Self {
        Self::with(Settings::default()).await.expect("a free loopback port")
    }

    pub async fn with(mut settings: Settings) -> std::io::Result<Self> {
        let folder = settings.ca.is_none().then(tempfile::tempdir).transpose()?;
        let ca = settings.ca.take().unwrap_or_else(|| folder.as_ref().map(|folder| folder.path().join("ca.pem")).unwrap_or_default());
        let (acceptor, pem) = tls::acceptor(settings.certificate)?;
        std::fs::write(&ca, pem)?;
        let listener = TcpListener::bind(&settings.listen).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State { settings, objects: Mutex::default(), faults: Mutex::default(), tokens: Mutex::default(), journal: Mutex::default() });
        let server = tokio::spawn(serve::run(listener, acceptor, Arc::clone(&state)));
        Ok(Self { state, port, ca, server, _folder: folder })
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The PEM file of the authority that signed its certificate.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// The access tokens that are good now.
    #[must_use]
    pub fn issued_tokens(&self) -> Vec<String> {
        self.state.tokens.lock().unwrap().iter().map(|issued| issued.token.clone()).collect()
    }

    /// Every access token that was given out is worth nothing from now on.
    pub fn revoke_tokens(&self) {
        self.state.tokens.lock().unwrap().clear();
    }

    /// `path` begins with a tree: `/public/`, `/basic/`, `/bearer/`, `/api/`, `/key/`, `/oauth/`, `/gcs-media/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// `path`: as it goes over the wire; `/` is public, too.
    pub fn put(&self, path: &str, bytes: impl Into<Bytes>) {
        self.insert(path, Content::Bytes(bytes.into()));
    }

    /// An object of `size` bytes that takes no memory: byte `i` is `i % 251`.
    pub fn put_generated(&self, path: &str, size: u64) {
        self.insert(path, Content::Generated(size));
    }

    /// Every file below `folder`, as `<prefix>/<path>`. Returns how many.
    pub fn put_folder(&self, prefix: &str, folder: &Path) -> std::io::Result<usize> {
        let mut count = 0;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = format!("{prefix}/{}", percent_encoding::utf8_percent_encode(&entry.file_name().to_string_lossy(), PLAIN));
            if entry.file_type()?.is_dir() {
                count += self.put_folder(&path, &entry.path())?;
            } else {
                self.put(&path, std::fs::read(entry.path())?);
                count += 1;
            }
        }
        Ok(count)
    }

    /// The next `times` requests meet `fault`, whatever they ask for.
    pub fn fail(&self, times: u32, fault: Fault) {
        if times > 0 {
            self.state.faults.lock().unwrap().push_back((times, fault));
        }
    }

    #[must_use]
    pub fn journal(&self) -> Vec<Seen> {
        self.state.journal.lock().unwrap().iter().cloned().collect()
    }

    fn insert(&self, path: &str, content: Content) {
        let digest = crate::aws::sha256_hex(match &content {
            Content::Bytes(bytes) => bytes,
            Content::Generated(_) => path.as_bytes(),
        });
        self.state.objects.lock().unwrap().insert(path.to_owned(), (content, format!("\"{}\"", &digest[..16])));
    }
}

/// What stays as it is in a path's segment.
const PLAIN: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl State {
    fn fault(&self) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let (left, fault) = faults.front_mut()?;
        let fault = fault.clone();
        *left -= 1;
        if *left == 0 {
            faults.pop_front();
        }
        Some(fault)
    }

    fn saw(&self, seen: Seen) {
        let mut journal = self.journal.lock().unwrap();
        if journal.len() == JOURNAL {
            journal.pop_front();
        }
        journal.push_back(seen);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}
