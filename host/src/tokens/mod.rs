//! API tokens: minted once, stored as a hash, checked on each request. And the organizations that they belong to.

mod cache;
mod organizations;
mod text;

use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::model::{Caller, Clock, Error, OrgId, Organization, Random, Result, Role, Timestamp, TokenId, TokenRecord};
use crate::store::{Expect, Store, Table};

use cache::Cache;
use text::Hash;

/// Tokens an organization may have.
const MAX_TOKENS: usize = 1000;
/// The organization of the first token.
const FIRST_ORG: &str = "default";

/// Records: `tokens/<org>/<id>` is the token, `token-hash/<hash>` says where it is; both are written and deleted together.
/// `organization/<org>` is an organization.
pub struct Tokens {
    records: Table<TokenRecord>,
    places: Table<Place>,
    organizations: Table<Organization>,
    store: Arc<dyn Store>,
    cache: Cache,
    /// Held while tokens and organizations come or go, so that counting them and changing them is one step.
    changing: tokio::sync::Mutex<()>,
    clock: Clock,
    random: Random,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Place {
    org: OrgId,
    id: TokenId,
}

/// A token's text, shown once to whoever minted it: `pct_<43 base62 characters>`. No `Debug`.
pub struct Minted {
    pub text: String,
    pub record: TokenRecord,
}

impl Tokens {
    pub fn new(store: Arc<dyn Store>, clock: Clock, random: Random) -> Self {
        Self {
            records: Table::new(Arc::clone(&store), "tokens/"),
            places: Table::new(Arc::clone(&store), "token-hash/"),
            organizations: Table::new(Arc::clone(&store), "organization/"),
            store,
            cache: Cache::default(),
            changing: tokio::sync::Mutex::new(()),
            clock,
            random,
        }
    }

    /// `Err` is always the same `Rejected`-like answer (`Denied`, code `unauthorized`), whatever was wrong with the token; a store
    /// that cannot answer is its own error. Most requests are answered from memory: a hash and a look into a map.
    pub async fn check(&self, text: &str) -> Result<Caller> {
        // Also keeps what a client sends as a token from costing more than a token does.
        if text.len() > text::LONGEST {
            return Err(unauthorized());
        }
        let hash = Hash::of(text);
        let now = (self.clock)();
        if let Some(entry) = self.cache.get(&hash) {
            return if is_over(entry.expires_at, now) { Err(unauthorized()) } else { Ok(entry.caller) };
        }
        let seen = self.cache.generation();
        let Some(place) = self.places.get(&hash.hex()).await? else { return Err(unauthorized()) };
        let Some(found) = self.records.get(&key(&place.value.org, place.value.id)).await? else { return Err(unauthorized()) };
        let TokenRecord { id, org, role, hash: stored, expires_at, .. } = found.value;
        if !bool::from(stored.as_bytes().ct_eq(hash.hex().as_bytes())) || is_over(expires_at, now) {
            return Err(unauthorized());
        }
        let caller = Caller { org, role, token: id };
        self.cache.put(seen, hash, cache::Entry { caller: caller.clone(), expires_at });
        Ok(caller)
    }

    /// Field errors: `/name` (1 to 255 characters, no control characters), `/expires_at` (in the future), `/organization` (there is none).
    pub async fn mint(&self, org: &OrgId, role: Role, name: &str, expires_at: Option<Timestamp>) -> Result<Minted> {
        if name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
            return Err(Error::field("/name", "a token's name is 1 to 255 characters without control characters"));
        }
        if is_over(expires_at, (self.clock)()) {
            return Err(Error::field("/expires_at", "a token expires in the future"));
        }
        let _changing = self.changing.lock().await;
        if self.organizations.get(org.as_str()).await?.is_none_or(|found| found.value.deleted_at.is_some()) {
            return Err(Error::field("/organization", "there is no such organization").with_remedy("An operator creates organizations."));
        }
        self.add(text::generate(&self.random), org, role, name, expires_at).await
    }

    /// The operator token of a first start, in the organization `default`; `given`: from `PORTCULLIS_BOOTSTRAP_TOKEN`, 32 to 256
    /// visible ASCII characters. `None` if there is a token already.
    ///
    /// A given token works as an operator's whenever the gateway starts with it, also on a store that has others; it stays until it
    /// is revoked, like any other. To change it, start with the new one and revoke the old one.
    pub async fn bootstrap(&self, given: Option<&str>) -> Result<Option<Minted>> {
        let _changing = self.changing.lock().await;
        let org = OrgId::new(FIRST_ORG)?;
        if let Some(given) = given {
            text::check_given(given)?;
        }
        self.adopt_organizations().await?;
        match given {
            Some(given) => {
                if self.places.get(&Hash::of(given).hex()).await?.is_some() {
                    return Ok(None);
                }
                self.add(given.to_owned(), &org, Role::Operator, "bootstrap", None).await.map(Some)
            }
            None if self.records.scan("", None, 1).await?.is_empty() => {
                self.add(text::generate(&self.random), &org, Role::Operator, "first", None).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// The record of a caller's own token; `unauthorized` where it was revoked meanwhile.
    pub async fn own(&self, caller: &Caller) -> Result<TokenRecord> {
        Ok(self.records.get(&key(&caller.org, caller.token)).await?.ok_or_else(unauthorized)?.value)
    }

    /// Who a token is, by its id: for what was made in its name. `unauthorized` once it was revoked, with its organization or alone, or is over.
    pub async fn holder(&self, org: &OrgId, id: TokenId) -> Result<Caller> {
        let found = self.records.get(&key(org, id)).await?.filter(|found| !is_over(found.value.expires_at, (self.clock)()));
        let TokenRecord { id, org, role, .. } = found.ok_or_else(unauthorized)?.value;
        Ok(Caller { org, role, token: id })
    }

    /// In the order of their ids.
    pub async fn list(&self, org: &OrgId, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRecord>> {
        let after = after.map(|id| key(org, id));
        let found = self.records.scan(&format!("{org}/"), after.as_deref(), limit).await?;
        Ok(found.into_iter().map(|(_, row)| row.value).collect())
    }

    /// Works at once: the next request with it is refused. The last admin-or-higher token of an organization stays (`last_admin`).
    pub async fn revoke(&self, org: &OrgId, id: TokenId) -> Result<TokenRecord> {
        let _changing = self.changing.lock().await;
        let found = self.records.get(&key(org, id)).await?.ok_or_else(|| Error::not_found("token_not_found", "there is no such token"))?;
        let now = (self.clock)();
        let manages = |token: &TokenRecord| token.role >= Role::Admin && !is_over(token.expires_at, now);
        let others = self.list(org, None, MAX_TOKENS).await?;
        if manages(&found.value) && !others.iter().any(|other| other.id != id && manages(other)) {
            return Err(Error::conflict("last_admin", "this is the last token that can manage its organization").with_remedy("mint another admin token first"));
        }
        let record = found.value;
        self.store.apply(vec![self.records.deleting(&key(org, id), Expect::Version(found.version)), self.places.deleting(&record.hash, Expect::Any)]).await?;
        self.cache.forget(id);
        Ok(record)
    }

    /// With `changing` held.
    async fn add(&self, text: String, org: &OrgId, role: Role, name: &str, expires_at: Option<Timestamp>) -> Result<Minted> {
        if self.list(org, None, MAX_TOKENS).await?.len() >= MAX_TOKENS {
            return Err(Error::limit("too_many_tokens", format!("an organization has at most {MAX_TOKENS} tokens"))
                .with_remedy("revoke tokens that are no longer used"));
        }
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        let id = TokenId(uuid::Builder::from_random_bytes(bytes).into_uuid());
        let hash = Hash::of(&text).hex();
        let record = TokenRecord { id, org: org.clone(), role, name: name.to_owned(), hash: hash.clone(), created_at: (self.clock)(), expires_at };
        let place = Place { org: org.clone(), id };
        self.store.apply(vec![self.records.putting(&key(org, id), &record, Expect::Absent)?, self.places.putting(&hash, &place, Expect::Absent)?]).await?;
        Ok(Minted { text, record })
    }
}

fn key(org: &OrgId, id: TokenId) -> String {
    format!("{org}/{id}")
}

fn is_over(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_some_and(|end| end <= now)
}

fn unauthorized() -> Error {
    Error::denied("unauthorized", "a valid token is needed").with_remedy("send the header Authorization: Bearer <token>")
}

#[cfg(test)]
mod tests;
