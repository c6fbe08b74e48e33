//! Building plans: locations share credentials by index.

use crate::{Credential, Error, Location, Plan, Target};

impl Plan {
    /// Every source with the same credential: what nearly every connector returns.
    pub fn shared(credential: Credential, sources: &[String], mut target: impl FnMut(&str) -> Result<Target, Error>) -> Self {
        let locations = sources.iter().map(|source| Ok(Location { target: target(source)?, credential: 0 })).collect();
        Self { credentials: vec![credential], locations }
    }

    /// The index of `credential`, which is added if it is not there yet.
    pub fn credential(&mut self, credential: Credential) -> u32 {
        let index = self.credentials.iter().position(|known| *known == credential).unwrap_or_else(|| {
            self.credentials.push(credential);
            self.credentials.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpObject;

    #[test]
    fn a_plan_shares_its_credential_and_keeps_the_order() {
        let sources = ["a".to_owned(), "bad".to_owned(), "c".to_owned()];
        let plan = Plan::shared(Credential::Anonymous, &sources, |source| match source {
            "bad" => Err(Error::invalid("bad", "bad")),
            good => Ok(Target::Http(HttpObject::new(good))),
        });
        assert_eq!(plan.credentials, [Credential::Anonymous]);
        let urls: Vec<_> = plan.locations.iter().map(|location| location.as_ref().map(|location| &location.target).ok().cloned()).collect();
        assert_eq!(urls, [Some(Target::Http(HttpObject::new("a"))), None, Some(Target::Http(HttpObject::new("c")))]);
    }

    #[test]
    fn a_credential_is_added_once() {
        let mut plan = Plan { credentials: Vec::new(), locations: Vec::new() };
        assert_eq!(plan.credential(Credential::Anonymous), 0);
        assert_eq!(plan.credential(Credential::bearer("token")), 1);
        assert_eq!(plan.credential(Credential::Anonymous), 0);
    }
}
