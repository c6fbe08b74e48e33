//! Errors as STS and S3 write them.

use quick_xml::escape::escape;

#[derive(Clone, Debug)]
pub struct AwsError {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    /// Further elements of the S3 form: `Region`, `BucketName`, …
    pub details: Vec<(&'static str, String)>,
    pub headers: Vec<(&'static str, String)>,
}

impl AwsError {
    #[must_use]
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), headers: Vec::new() }
    }

    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn s3_body(&self, request_id: &str) -> String {
        let details: String = self.details.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value))).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>{details}<RequestId>{request_id}</RequestId><HostId>double</HostId></Error>",
            self.code,
            escape(&self.message)
        )
    }

    #[must_use]
    pub fn sts_body(&self, request_id: &str) -> String {
        let side = if self.status < 500 { "Sender" } else { "Receiver" };
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            self.code,
            escape(&self.message)
        )
    }
}

/// S3's answer to whoever may not, whatever the reason.
#[must_use]
pub fn access_denied() -> AwsError {
    AwsError::new(403, "AccessDenied", "Access Denied")
}
