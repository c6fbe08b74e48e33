//! OAuth2 client credentials (RFC 6749 section 4.4): one token for all requests of a connection, until shortly before it expires.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::flight::{Perishable, Slots};
use super::recipe;
use crate::audit::Uses;
use crate::fetch::Fetcher;
use crate::model::{Clock, Connection, ConnectionId, Credential, Error, OAuth2, OrgId, Result, Timestamp};
use crate::policy::Grant;
use crate::vault::Vault;

/// A token is not used in its last moments.
const MARGIN: Duration = Duration::from_secs(30);
/// RFC 6749 lets a server leave `expires_in` out; none is kept longer than an hour.
const LIFE_UNSAID: u64 = 300;
const LONGEST_LIFE: u64 = 3600;
const CONNECTIONS: usize = 10_000;

/// The header that carries the token. No `Debug`.
pub(super) struct Token {
    pub header: HeaderValue,
    obtained: Timestamp,
    usable_until: Timestamp,
    refresh_at: Timestamp,
}

impl Perishable for Token {
    fn obtained(&self) -> Timestamp {
        self.obtained
    }
    fn usable_until(&self) -> Timestamp {
        self.usable_until
    }
    fn refresh_at(&self) -> Timestamp {
        self.refresh_at
    }
}

pub(super) struct Tokens {
    vault: Arc<Vault>,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    uses: Arc<Uses>,
    slots: Slots<Token>,
}

impl Tokens {
    pub fn new(vault: Arc<Vault>, fetcher: Arc<Fetcher>, clock: Clock, uses: Arc<Uses>) -> Arc<Self> {
        Arc::new(Self { vault, fetcher, clock, uses, slots: Slots::new(CONNECTIONS) })
    }

    /// `url`: the judged token endpoint. `credential` is the one that holds `recipe`: the slot's key.
    pub async fn token(self: &Arc<Self>, grant: &Arc<Grant>, credential: &Credential, recipe: &OAuth2, url: &Url) -> Result<Arc<Token>> {
        let slot = self.slots.of_connection(&grant.connection, credential);
        let obtain = || {
            let (tokens, grant, recipe, url) = (self.clone(), grant.clone(), recipe.clone(), url.clone());
            async move {
                tokens.uses.ready()?;
                let obtained = tokens.obtain(&grant.connection, &recipe, &url).await;
                tokens.uses.exchanged(&grant.connection, grant.by, &url, &obtained);
                obtained
            }
        };
        slot.get(&self.clock, grant.asked_anew, obtain).await
    }

    /// After the remote refused `token`.
    pub fn refused(&self, connection: &Connection, credential: &Credential, token: &Arc<Token>) {
        self.slots.of_connection(connection, credential).drop_value(token);
    }

    pub fn forgive(&self, org: &OrgId, connection: ConnectionId) {
        self.slots.forgive(org, connection);
    }

    pub fn forget(&self, org: &OrgId, connection: ConnectionId) {
        self.slots.forget(org, connection);
    }

    async fn obtain(&self, connection: &Connection, recipe: &OAuth2, url: &Url) -> Result<Token> {
        let secret = self.vault.unseal(connection, &recipe.client_secret)?;
        // RFC 6749 section 2.3.1: both parts are form-encoded before they become basic credentials.
        let (id, secret) = (form_encoded(recipe.client_id.as_bytes()), Zeroizing::new(form_encoded(secret.expose())));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, recipe::basic(id.as_bytes(), secret.as_bytes())?);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(recipe.scope.as_deref().map(|scope| ("scope", scope)));
        form.extend(recipe.audience.as_deref().map(|audience| ("audience", audience)));
        let asked_at = (self.clock)();
        let (status, body) = self.fetcher.post_form(url, headers, &form).await?;
        judge(status.as_u16(), &body, asked_at)
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn judge(status: u16, body: &[u8], asked_at: Timestamp) -> Result<Token> {
    match status {
        200 => {}
        429 => {
            return Err(Error::unavailable("oauth2_throttled", "the token endpoint asks for fewer requests")
                .with_remedy("Test again later.")
                .with_retry_after(5));
        }
        500..=599 => {
            return Err(
                Error::unavailable("oauth2_unavailable", format!("the token endpoint cannot answer now (status {status})")).with_remedy("Test again later.")
            );
        }
        _ => {
            // RFC 6749 section 5.2 lists the words; another text of the remote's is not passed on.
            let known = ["invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"];
            let word = serde_json::from_slice::<Refusal>(body).ok().and_then(|refusal| known.into_iter().find(|known| *known == refusal.error));
            let why = word.map_or_else(|| format!("status {status}"), str::to_owned);
            let error = Error::rejected("oauth2_refused", format!("the token endpoint refused the client credentials: {why}"))
                .with_remedy("Look at the client's id and secret, its scope, and whether the client may use the client_credentials grant.");
            return Err(match word {
                Some("invalid_client") => error.because("oauth2_client_not_accepted").with_remedy("Enter the client's id and secret again."),
                Some("invalid_scope") => error
                    .because("oauth2_scope_not_accepted")
                    .with_remedy("Ask for a scope that the client may have, or let the server's owner grant this one."),
                Some("unauthorized_client" | "unsupported_grant_type") => {
                    error.because("oauth2_grant_not_allowed").with_remedy("The server's owner allows the client_credentials grant to this client.")
                }
                _ => error,
            });
        }
    }
    let wrong = |why: &str| {
        Error::rejected("oauth2_bad_answer", format!("the token endpoint's answer is not a bearer token: {why}"))
            .with_remedy("Check the token endpoint's path: something else may answer there.")
    };
    // The parser's own words could quote the token: they are not kept.
    let answer: Answer = serde_json::from_slice(body).map_err(|_| wrong("it is not the JSON of RFC 6749 section 5.1"))?;
    if !answer.token_type.eq_ignore_ascii_case("bearer") {
        return Err(wrong("its type is another"));
    }
    let token = Zeroizing::new(answer.access_token);
    let header = recipe::bearer(token.as_bytes()).map_err(|_| wrong("it is not visible ASCII"))?;
    let said = answer.expires_in.unwrap_or(LIFE_UNSAID).min(LONGEST_LIFE);
    // A token of a few seconds is used for half of them.
    let life = Duration::from_secs(said).saturating_sub(MARGIN).max(Duration::from_secs(said) / 2);
    Ok(Token { header, obtained: asked_at, usable_until: asked_at.plus(life), refresh_at: asked_at.plus(life * 4 / 5) })
}

fn form_encoded(bytes: &[u8]) -> String {
    url::form_urlencoded::byte_serialize(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn an_answer_that_is_no_token_is_refused_and_not_quoted() {
        let cases: [(u16, &str, &str); 9] = [
            (200, "<html>", "oauth2_bad_answer"),
            (200, r#"{"access_token":"canary","token_type":"mac"}"#, "oauth2_bad_answer"),
            (200, r#"{"access_token":"can ary","token_type":"Bearer"}"#, "oauth2_bad_answer"),
            (200, r#"{"access_token":"","token_type":"Bearer"}"#, "oauth2_bad_answer"),
            (200, r#"{"access_token":"canary","token_type":"Bearer","expires_in":-1}"#, "oauth2_bad_answer"),
            (401, r#"{"error":"invalid_client","error_description":"canary"}"#, "oauth2_refused"),
            (302, "canary", "oauth2_refused"),
            (429, "", "oauth2_throttled"),
            (503, "", "oauth2_unavailable"),
        ];
        for (status, body, code) in cases {
            let error = judge(status, body.as_bytes(), NOW).err().expect("refused");
            assert_eq!(error.code(), code, "{status} {body}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn a_token_is_kept_until_shortly_before_it_expires() {
        let life = |expires: &str| {
            let token = judge(200, format!(r#"{{"access_token":"t","token_type":"bearer"{expires}}}"#).as_bytes(), NOW).expect("a token");
            assert!(token.header.is_sensitive());
            assert!(token.refresh_at < token.usable_until);
            token.usable_until.since(NOW).as_secs()
        };
        assert_eq!(life(r#","expires_in":600"#), 570);
        assert_eq!(life(r#","expires_in":40"#), 20);
        assert_eq!(life(r#","expires_in":9999999999"#), 3570);
        assert_eq!(life(""), 270);
    }

    #[test]
    fn rfc_6749_client_credentials_are_form_encoded() {
        assert_eq!(form_encoded("a:b c+ü".as_bytes()), "a%3Ab+c%2B%C3%BC");
    }
}
