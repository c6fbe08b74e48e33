//! API tokens: minted once, stored as a hash, checked on each request.

use std::sync::Arc;

use crate::model::{Caller, Clock, OrgId, Random, Result, Role, Timestamp, TokenId, TokenRecord};
use crate::store::Store;

pub struct Tokens;

/// A token's text, shown once to whoever minted it: `pct_<43 base62 characters>`.
pub struct Minted {
    pub text: String,
    pub record: TokenRecord,
}

impl Tokens {
    pub fn new(_store: Arc<dyn Store>, _clock: Clock, _random: Random) -> Self {
        todo!()
    }
    /// `Err` is always the same `Rejected`-like answer (`Denied`, code `unauthorized`), whatever was wrong.
    pub async fn check(&self, _text: &str) -> Result<Caller> {
        todo!()
    }
    pub async fn mint(&self, _org: &OrgId, _role: Role, _name: &str, _expires_at: Option<Timestamp>) -> Result<Minted> {
        todo!()
    }
    /// The operator token of a first start; `given`: from `PORTCULLIS_BOOTSTRAP_TOKEN`. `None` if there is a token already.
    pub async fn bootstrap(&self, _given: Option<&str>) -> Result<Option<Minted>> {
        todo!()
    }
    pub async fn list(&self, _org: &OrgId, _after: Option<TokenId>, _limit: usize) -> Result<Vec<TokenRecord>> {
        todo!()
    }
    /// Works at once: the next request with it is refused. The last admin-or-higher token of an organization stays (`last_admin`).
    pub async fn revoke(&self, _org: &OrgId, _id: TokenId) -> Result<TokenRecord> {
        todo!()
    }
}
