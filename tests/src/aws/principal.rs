//! Who signed a request.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    Anonymous,
    User {
        partition: &'static str,
        account: String,
        name: String,
    },
    /// A session of a role.
    Session {
        partition: &'static str,
        account: String,
        role: String,
        session: String,
    },
}

impl Principal {
    #[must_use]
    pub fn partition(&self) -> Option<&'static str> {
        match self {
            Self::Anonymous => None,
            Self::User { partition, .. } | Self::Session { partition, .. } => Some(partition),
        }
    }

    #[must_use]
    pub fn account(&self) -> Option<&String> {
        match self {
            Self::Anonymous => None,
            Self::User { account, .. } | Self::Session { account, .. } => Some(account),
        }
    }

    /// As GetCallerIdentity says it.
    #[must_use]
    pub fn arn(&self) -> String {
        match self {
            Self::Session { partition, account, role, session } => {
                format!("arn:{partition}:sts::{account}:assumed-role/{}/{session}", role.rsplit('/').next().unwrap_or(role))
            }
            _ => self.policy_arn(),
        }
    }

    /// As policies and `aws:PrincipalArn` say it: a session goes by its role.
    #[must_use]
    pub fn policy_arn(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User { partition, account, name } => format!("arn:{partition}:iam::{account}:user/{name}"),
            Self::Session { partition, account, role, .. } => format!("arn:{partition}:iam::{account}:role/{role}"),
        }
    }

    /// `aws:PrincipalType`
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "Anonymous",
            Self::User { .. } => "User",
            Self::Session { .. } => "AssumedRole",
        }
    }
}
