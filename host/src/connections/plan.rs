//! Showing a plan before it runs (SPEC B13): each request with its host, path and headers, and the name of every secret in it.

use super::{Connections, Planned, PlannedRequest};
use crate::broker::Broker;
use crate::model::{Credential, ItemError, OrgId, Piece, Plan, RequestPart, Result, TimestampFormat};
use crate::policy::{Action, Permit, Resource};

const MAX_PARTS: usize = 64;
const MAX_TEXT: usize = 4096;

impl Connections {
    /// 1 to 1000 sources; one outcome for each, in order. Nothing is sent.
    pub async fn plan(&self, org: &OrgId, name_or_id: &str, sources: &[&str]) -> Result<Vec<Planned>> {
        let served = self.served(org, name_or_id).await?;
        let Plan { credentials, locations } = served.connector.plugin.locate(org, &served.settings, sources).await?;
        let outcomes = locations.into_iter().map(|location| served.grant.permit(Action::Read, &location?, &credentials));
        Ok(sources
            .iter()
            .zip(outcomes)
            .map(|(source, outcome)| Planned {
                source_path: (*source).to_owned(),
                outcome: outcome.map(|permit| shown(&self.broker, &permit)).map_err(|error| ItemError::from(&error)),
            })
            .collect())
    }
}

fn shown(broker: &Broker, permit: &Permit) -> PlannedRequest {
    let (url, mut headers) = match permit.resource() {
        Resource::S3(read) => (broker.s3_url(read), Vec::new()),
        Resource::Web(request) => (request.url.to_string(), request.headers.clone()),
        Resource::Session => (String::new(), Vec::new()),
    };
    headers.extend(credential_headers(permit.credential()));
    PlannedRequest { method: "GET".to_owned(), url, headers, credential: permit.credential().clone() }
}

fn credential_headers(credential: &Credential) -> Vec<(String, String)> {
    let authorization = |value: String| vec![("authorization".to_owned(), value)];
    match credential {
        Credential::Anonymous => Vec::new(),
        Credential::Basic { username, password } => authorization(format!("Basic {{{{base64:{username}:{}}}}}", secret(password))),
        Credential::Bearer { token } => authorization(format!("Bearer {}", secret(token))),
        Credential::Headers(headers) => headers.iter().map(|header| (header.name.clone(), written(&header.pieces))).collect(),
        Credential::OAuth2ClientCredentials(oauth2) => authorization(format!("Bearer {{{{token from {}}}}}", oauth2.token_url)),
        Credential::AwsGatewayRole => authorization("AWS4-HMAC-SHA256 {{session of the gateway's own role}}".to_owned()),
        Credential::AwsAssumeRole(role) => authorization(format!("AWS4-HMAC-SHA256 {{{{session of {}}}}}", role.role_arn)),
    }
}

fn secret(name: &str) -> String {
    format!("{{{{secret:{name}}}}}")
}

/// The last step of `pieces`, written out. Each step names earlier ones only; a step is cut before it can double itself into gigabytes.
fn written(pieces: &[Piece]) -> String {
    let mut texts: Vec<String> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let earlier = |index: &usize| texts.get(*index).map(String::as_str).unwrap_or_default();
        let mut text = match piece {
            Piece::Text(text) => text.clone(),
            Piece::Secret(name) => secret(name),
            Piece::Concat(parts) => parts.iter().take(MAX_PARTS).map(earlier).collect(),
            Piece::Base64Encode(of) => format!("{{{{base64:{}}}}}", earlier(of)),
            Piece::Base64Decode(of) => format!("{{{{base64-decoded:{}}}}}", earlier(of)),
            Piece::HexEncode(of) => format!("{{{{hex:{}}}}}", earlier(of)),
            Piece::Sha256(of) => format!("{{{{sha256:{}}}}}", earlier(of)),
            Piece::HmacSha256 { key, message } => format!("{{{{hmac-sha256:{}:{}}}}}", earlier(key), earlier(message)),
            Piece::Timestamp(TimestampFormat::HttpDate) => "{{time:http-date}}".to_owned(),
            Piece::Timestamp(TimestampFormat::Rfc3339) => "{{time:rfc3339}}".to_owned(),
            Piece::Timestamp(TimestampFormat::UnixSeconds) => "{{time:unix-seconds}}".to_owned(),
            Piece::Timestamp(TimestampFormat::Basic) => "{{time:basic}}".to_owned(),
            Piece::Timestamp(TimestampFormat::BasicDate) => "{{time:basic-date}}".to_owned(),
            Piece::Request(RequestPart::Method) => "{{request:method}}".to_owned(),
            Piece::Request(RequestPart::Path) => "{{request:path}}".to_owned(),
            Piece::Request(RequestPart::Range) => "{{request:range}}".to_owned(),
            Piece::Request(RequestPart::IfMatch) => "{{request:if-match}}".to_owned(),
            Piece::Request(RequestPart::IfNoneMatch) => "{{request:if-none-match}}".to_owned(),
        };
        if let Some((cut, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(cut);
        }
        texts.push(text);
    }
    texts.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Header;

    #[test]
    fn b13_a_secret_is_shown_by_name_only() {
        let cases = [
            (Credential::Basic { username: "al".into(), password: "password".into() }, "Basic {{base64:al:{{secret:password}}}}"),
            (Credential::Bearer { token: "bearer_token".into() }, "Bearer {{secret:bearer_token}}"),
            (
                Credential::Headers(vec![Header {
                    name: "authorization".into(),
                    pieces: vec![
                        Piece::Secret("key".into()),
                        Piece::Request(RequestPart::Path),
                        Piece::HmacSha256 { key: 0, message: 1 },
                        Piece::HexEncode(2),
                        Piece::Text("Key ".into()),
                        Piece::Concat(vec![4, 3]),
                    ],
                }]),
                "Key {{hex:{{hmac-sha256:{{secret:key}}:{{request:path}}}}}}",
            ),
        ];
        for (credential, shown) in cases {
            assert_eq!(credential_headers(&credential), [("authorization".to_owned(), shown.to_owned())]);
        }
    }
}
