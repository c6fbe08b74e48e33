//! How AWS's SDK clients reach the network: made by hand, so that no environment variable or profile redirects them.
//!
//! The SDK buffers what it is sent; the cap is here.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;

use crate::fetch;
use crate::model::{Error, Result};

/// A page of 1,000 keys of 1,024 bytes, percent-encoded, is about 4 MiB of XML.
const LONGEST_ANSWER: usize = 8 << 20;

#[derive(Clone)]
pub(super) struct Sdk {
    pub http: SharedHttpClient,
    /// The operator's override, for STS and S3 alike.
    pub endpoint_url: Option<String>,
    pub path_style: bool,
}

impl Sdk {
    pub fn new(extra_ca_pem: &[Vec<u8>], endpoint_url: Option<String>, path_style: bool) -> Result<Self> {
        let mut trust = TrustStore::default();
        for pem in extra_ca_pem {
            trust.add_pem_certificate(pem.clone());
        }
        let tls = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .map_err(|error| Error::internal("tls_context", "the AWS clients' TLS could not be set up").with_source(error))?;
        let plain =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).pool_max_idle_per_host(16).build_https();
        Ok(Self { http: SharedHttpClient::new(Capped(plain)), endpoint_url, path_style })
    }

    pub fn timeouts() -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .read_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(10))
            .build()
    }

    pub fn retries() -> RetryConfig {
        RetryConfig::standard().with_max_attempts(3)
    }
}

/// `who` did not answer at all: name, socket, TLS or time.
pub(super) fn not_asked<E, R>(who: &str, error: SdkError<E, R>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let late = || Error::unavailable("upstream_timeout", format!("{who} did not answer in time")).because("answer_timeout");
    let told = match &error {
        SdkError::TimeoutError(_) => late(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => late(),
        _ => fetch::unreachable(who, &error).unwrap_or_else(|| Error::unavailable("upstream_unavailable", format!("{who} could not be asked"))),
    };
    let told = if told.remedy().is_some() { told } else { told.with_remedy("Test again later; an operator looks whether the gateway reaches the network.") };
    told.with_source(error)
}

#[derive(Debug)]
struct Capped(SharedHttpClient);

impl HttpClient for Capped {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(CappedConnector(self.0.http_connector(settings, components)))
    }
    fn validate_base_client_config(&self, components: &RuntimeComponentsBuilder, config: &ConfigBag) -> Result<(), BoxError> {
        self.0.validate_base_client_config(components, config)
    }
    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.0.validate_final_config(components, config)
    }
}

#[derive(Debug)]
struct CappedConnector(SharedHttpConnector);

impl HttpConnector for CappedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { Ok(answer.await?.map(|body| SdkBody::from_body_1_x(http_body_util::Limited::new(body, LONGEST_ANSWER)))) })
    }
}
