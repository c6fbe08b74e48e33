//! A scene for a test: AWS, an https origin and the gateway, and the connections that most tests need.

use portcullis_tests::api::Api;
use portcullis_tests::aws::AwsDouble;
use portcullis_tests::gateway::{Gateway, Given};
use portcullis_tests::origin::Origin;
use portcullis_tests::scene::{CUSTOMER, MEDIA, READER_ROLE, fixture, trust};
use portcullis_tests::stack::AwsStack;
use serde_json::{Value, json};

/// Each sentence twice: `<sentence>::on_the_double` and `<sentence>::on_ministack`. The body is `bodies::<sentence>`.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[tokio::test]
            async fn on_the_double() {
                super::bodies::$name(&portcullis_tests::aws::AwsDouble::with(&portcullis_tests::scene::fixture()).await).await;
            }
            #[tokio::test]
            async fn on_ministack() {
                super::bodies::$name(&portcullis_tests::ministack::Ministack::with(&portcullis_tests::scene::fixture()).await).await;
            }
        }
    )* };
}
pub(crate) use on_both;

pub struct Play {
    pub aws: AwsDouble,
    pub origin: Origin,
    pub gateway: Gateway,
    /// The operator, in organization `default`.
    pub api: Api,
}

pub async fn play() -> Play {
    play_with(&[]).await
}

/// `variables`: of the gateway's environment, beside what the scene needs.
pub async fn play_with(variables: &[(&str, &str)]) -> Play {
    let aws = AwsDouble::with(&fixture()).await;
    let origin = Origin::start().await;
    let given = Given::default().aws(&aws).origin(&origin);
    let gateway = variables.iter().fold(given, |given, (name, value)| given.variable(name, *value)).start().await;
    let api = gateway.api();
    Play { aws, origin, gateway, api }
}

pub async fn gateway_on(aws: &dyn AwsStack) -> Gateway {
    Given::default().aws(aws).start().await
}

#[must_use]
pub fn role_body(name: &str) -> Value {
    json!({"name": name, "type": "aws_iam_role", "config": {"iam_role_arn": READER_ROLE, "bucket_name": MEDIA}, "test_location": format!("s3://{MEDIA}/train/a.jpg")})
}

/// A connection by role that has passed its test: made, then trusted, as a customer does it. As the API shows it.
pub async fn ready_role(api: &Api, aws: &dyn AwsStack, name: &str) -> Value {
    let made = api.post("/api/v1/connections", &role_body(name)).await.expect(201);
    aws.trust(CUSTOMER, "media/reader", &trust(made["external_id"].as_str())).await;
    let tested = api.post(&format!("/api/v1/connections/{name}/test"), &json!({})).await.expect(200);
    assert_eq!(tested["status"], "ready", "{tested}");
    api.get(&format!("/api/v1/connections/{name}")).await.expect(200)
}

#[must_use]
pub fn basic_body(name: &str, origin: &Origin) -> Value {
    let settings = origin.settings();
    json!({"name": name, "type": "https_basic", "config": {"hostname": "localhost", "port": origin.port(), "username": settings.username, "password": settings.password}})
}

#[must_use]
pub fn bearer_body(name: &str, origin: &Origin) -> Value {
    json!({"name": name, "type": "https_bearer", "config": {"hostname": "localhost", "port": origin.port(), "bearer_token": origin.settings().token}})
}

/// A connection that passed its test when it was made. As the API shows it.
pub async fn ready_web(api: &Api, mut body: Value, test_location: &str) -> Value {
    body["test_location"] = json!(test_location);
    let made = api.post("/api/v1/connections", &body).await.expect(201);
    assert_eq!(made["status"], "ready", "{made}");
    made
}

/// The check of that name in a test's answer.
#[track_caller]
pub fn check<'a>(tested: &'a Value, name: &str) -> &'a Value {
    let checks = tested["checks"].as_array().or(tested["last_test"]["findings"].as_array()).expect("checks");
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no check {name} in {tested:#}"))
}
