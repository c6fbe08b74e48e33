//! What a plugin returns: where each source path is and which credential recipe opens it. No secret is in here, only names.

use serde::Serialize;

use super::{BucketName, Error, ObjectKey, Region, RoleArn};

/// Credentials, and for each source path (in order) a location that names one of them by index, or an error.
#[derive(Debug, Serialize)]
pub struct Plan {
    pub credentials: Vec<Credential>,
    #[serde(skip)]
    pub locations: Vec<Result<Location, Error>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    pub target: Target,
    /// An index into `Plan::credentials`, checked when the plan was lifted.
    pub credential: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    S3(S3Object),
    Http(HttpObject),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct S3Object {
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// `None`: to be discovered.
    pub region: Option<Region>,
    pub version_id: Option<String>,
}

/// `url`: as the plugin wrote it; `policy` parses it once and everything after uses that parse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpObject {
    pub url: String,
    pub headers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    Anonymous,
    Basic { username: String, password: String },
    Bearer { token: String },
    Headers(Vec<Header>),
    OAuth2ClientCredentials(OAuth2),
    AwsGatewayRole,
    AwsAssumeRole(AssumeRole),
}

impl Credential {
    /// The names of the secrets that it uses. In `Basic` and `Bearer` the field holds a secret's *name*.
    #[must_use]
    pub fn secret_names(&self) -> Vec<&str> {
        match self {
            Self::Anonymous | Self::AwsGatewayRole | Self::AwsAssumeRole(_) => Vec::new(),
            Self::Basic { password, .. } => vec![password],
            Self::Bearer { token } => vec![token],
            Self::Headers(headers) => headers.iter().flat_map(|header| &header.pieces).filter_map(Piece::secret).collect(),
            Self::OAuth2ClientCredentials(oauth2) => vec![&oauth2.client_secret],
        }
    }
}

/// One header. Its value is the last piece's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Header {
    pub name: String,
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct OAuth2 {
    pub token_url: String,
    pub client_id: String,
    pub client_secret: String,
    pub scope: Option<String>,
    pub audience: Option<String>,
}

/// The external id and the session policy are the host's to add.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct AssumeRole {
    pub role_arn: RoleArn,
    pub duration_seconds: u32,
    pub region: Option<Region>,
}

/// One step of a header's value; a `usize` names an earlier step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    Text(String),
    Secret(String),
    Concat(Vec<usize>),
    Base64Encode(usize),
    Base64Decode(usize),
    HexEncode(usize),
    Sha256(usize),
    HmacSha256 { key: usize, message: usize },
    Timestamp(TimestampFormat),
    Request(RequestPart),
}

impl Piece {
    /// The secret that it names.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        if let Self::Secret(name) = self { Some(name) } else { None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampFormat {
    HttpDate,
    Rfc3339,
    UnixSeconds,
    Basic,
    BasicDate,
}

/// What of the request, as it is sent, a signature can cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestPart {
    Method,
    Path,
    Range,
    IfMatch,
    IfNoneMatch,
}
