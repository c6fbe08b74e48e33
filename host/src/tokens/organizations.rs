//! The organizations that there are. A token is minted only in one of them, and goes with it.

use super::{FIRST_ORG, MAX_TOKENS, Tokens, key};
use crate::model::{Error, OrgId, Organization, Result};
use crate::store::{Expect, MAX_BATCH};

/// Those that were deleted included: their records stay.
const MAX_ORGANIZATIONS: usize = 10_000;
const MAX_DESCRIPTION: usize = 1000;
const PAGE: usize = 1000;

impl Tokens {
    /// `Conflict`: `organization_exists`, `organization_deleted` (its name is not given again). Field error: `/description`.
    pub async fn create_organization(&self, id: OrgId, description: String) -> Result<Organization> {
        if description.chars().count() > MAX_DESCRIPTION {
            return Err(Error::field("/description", "a description is at most 1000 characters"));
        }
        let _changing = self.changing.lock().await;
        match self.organizations.get(id.as_str()).await? {
            Some(found) if found.value.deleted_at.is_some() => {
                return Err(Error::conflict("organization_deleted", "an organization of this name was deleted; its name is not given again")
                    .with_remedy("Choose another name."));
            }
            Some(_) => return Err(Error::conflict("organization_exists", "there is an organization of this name already")),
            None => {}
        }
        let mut count = 0;
        let mut last: Option<String> = None;
        loop {
            let page = self.organizations.scan("", last.as_deref(), PAGE).await?;
            count += page.len();
            match page.last() {
                Some((key, _)) if page.len() == PAGE => last = Some(key.clone()),
                _ => break,
            }
        }
        if count >= MAX_ORGANIZATIONS {
            return Err(Error::limit("too_many_organizations", format!("a gateway has at most {MAX_ORGANIZATIONS} organizations, deleted ones included")));
        }
        self.put_organization(id, description).await
    }

    /// `NotFound` (`organization_not_found`).
    pub async fn organization(&self, id: &OrgId) -> Result<Organization> {
        let found = self.organizations.get(id.as_str()).await?.map(|found| found.value).filter(|found| found.deleted_at.is_none());
        found.ok_or_else(|| Error::not_found("organization_not_found", "there is no such organization"))
    }

    /// By name. `after`: the last one seen.
    pub async fn list_organizations(&self, after: Option<&str>, limit: usize) -> Result<Vec<Organization>> {
        let mut found = Vec::new();
        let mut last = after.map(str::to_owned);
        loop {
            let page = self.organizations.scan("", last.as_deref(), PAGE).await?;
            let ended = page.len() < PAGE;
            for (key, row) in page {
                if row.value.deleted_at.is_none() {
                    found.push(row.value);
                }
                if found.len() == limit {
                    return Ok(found);
                }
                last = Some(key);
            }
            if ended {
                return Ok(found);
            }
        }
    }

    /// Ends its tokens, at once, and then itself. That it is empty is the caller's to see to. `Conflict` (`default_organization`).
    pub async fn delete_organization(&self, id: &OrgId) -> Result<Organization> {
        if id.as_str() == FIRST_ORG {
            return Err(Error::conflict("default_organization", "this organization always exists: the gateway's first token belongs to it"));
        }
        let _changing = self.changing.lock().await;
        let found = self.organizations.get(id.as_str()).await?.filter(|found| found.value.deleted_at.is_none());
        let found = found.ok_or_else(|| Error::not_found("organization_not_found", "there is no such organization"))?;
        // Tokens first: what breaks off here can be repeated.
        for tokens in self.list(id, None, MAX_TOKENS).await?.chunks(MAX_BATCH / 2) {
            let gone = tokens.iter().flat_map(|token| [self.records.deleting(&key(id, token.id), Expect::Any), self.places.deleting(&token.hash, Expect::Any)]);
            self.store.apply(gone.collect()).await?;
            tokens.iter().for_each(|token| self.cache.forget(token.id));
        }
        let deleted = Organization { deleted_at: Some((self.clock)()), ..found.value };
        self.organizations.put(id.as_str(), &deleted, Expect::Version(found.version)).await?;
        Ok(deleted)
    }

    /// The first organization, and those whose tokens are older than their record. With `changing` held.
    pub(super) async fn adopt_organizations(&self) -> Result<()> {
        let mut wanted = vec![OrgId::new(FIRST_ORG)?];
        let mut last: Option<String> = None;
        // From one organization to the next, not from token to token: '~' comes after every character of an id.
        while let Some((_, row)) = self.records.scan("", last.as_deref(), 1).await?.into_iter().next() {
            last = Some(format!("{}/~", row.value.org));
            wanted.push(row.value.org);
        }
        for id in wanted {
            if self.organizations.get(id.as_str()).await?.is_none() {
                self.put_organization(id, String::new()).await?;
            }
        }
        Ok(())
    }

    async fn put_organization(&self, id: OrgId, description: String) -> Result<Organization> {
        let made = Organization { id, description, created_at: (self.clock)(), deleted_at: None };
        self.organizations.put(made.id.as_str(), &made, Expect::Absent).await?;
        Ok(made)
    }
}
