//! What speaks AWS, whoever it is: so that one test body runs against our double and against the referee.

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use crate::aws::{AwsDouble, Keys};

#[async_trait]
pub trait AwsStack: Send + Sync {
    fn endpoint(&self) -> &Url;
    fn keys(&self, account: &str, user: &str) -> Keys;
    /// Replaces a role's trust policy, as its owner would after reading the setup page.
    async fn trust(&self, account: &str, role: &str, document: &Value);
    async fn put(&self, account: &str, bucket: &str, key: &str, text: &str);
}

#[async_trait]
impl AwsStack for AwsDouble {
    fn endpoint(&self) -> &Url {
        self.endpoint()
    }
    fn keys(&self, account: &str, user: &str) -> Keys {
        self.user_credentials(account, user)
    }
    async fn trust(&self, account: &str, role: &str, document: &Value) {
        self.trust(account, role, document);
    }
    async fn put(&self, _account: &str, bucket: &str, key: &str, text: &str) {
        self.put(bucket, key, text.to_owned());
    }
}
