//! AWS's other partitions, from the setup to the object: their ARNs, their regions, their domain, and nobody of one in another.

use portcullis_tests::api::Api;
use portcullis_tests::aws::{AwsDouble, Fixture, Service};
use portcullis_tests::aws_client::AwsClient;
use portcullis_tests::gateway::{Gateway, Given};
use portcullis_tests::scene::{CUSTOMER, GATEWAY_USER, PLATFORM, statements};
use serde_json::{Value, json};

const BUCKET: &str = "partition-media";
const SHARED: &str = "partition-shared";

struct Partition {
    name: &'static str,
    region: &'static str,
    domain: &'static str,
}

const CHINA: Partition = Partition { name: "aws-cn", region: "cn-north-1", domain: "amazonaws.com.cn" };
const GOVCLOUD: Partition = Partition { name: "aws-us-gov", region: "us-gov-west-1", domain: "amazonaws.com" };

impl Partition {
    fn gateway_role(&self) -> String {
        format!("arn:{}:iam::{PLATFORM}:role/portcullis", self.name)
    }

    fn role(&self, name: &str) -> String {
        format!("arn:{}:iam::{CUSTOMER}:role/{name}", self.name)
    }

    /// The platform as in the scene of the other tests, and a customer's buckets; the customer's roles are made as the setup says.
    async fn aws(&self) -> AwsDouble {
        let user = format!("arn:{}:iam::{PLATFORM}:user/{GATEWAY_USER}", self.name);
        let assume = json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"});
        let own = json!({"Effect": "Allow", "Principal": {"AWS": user}, "Action": ["sts:AssumeRole", "sts:TagSession"]});
        let read = json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": format!("arn:{}:s3:::partition-*", self.name)});
        let objects: [(&str, &[u8]); 2] = [("train/a.txt", b"a"), ("train/b.txt", b"b")];
        AwsDouble::with(
            &Fixture::new()
                .account(PLATFORM, |account| {
                    let account = account.partition(self.name).user(GATEWAY_USER, Some(statements(json!([assume]))));
                    account.role("portcullis", statements(json!([own])), Some(statements(json!([assume, read]))))
                })
                .account(CUSTOMER, |account| {
                    account.partition(self.name).bucket(BUCKET, self.region, None, &objects).bucket(SHARED, self.region, None, &objects)
                }),
        )
        .await
    }

    fn gateway(&self, given: Given) -> Given {
        given.variable("PORTCULLIS__PLATFORM__ROLE_ARN", self.gateway_role()).variable("PORTCULLIS__AWS__REGION", self.region)
    }

    /// As somebody in that partition copies it from the console.
    fn address(&self, bucket: &str, key: &str) -> String {
        format!("https://{bucket}.s3.{}.{}/{key}", self.region, self.domain)
    }
}

/// The JSON documents of a connection's setup, of which none names another partition.
async fn documents(api: &Api, path: &str, partition: &Partition) -> Vec<Value> {
    let setup = api.get(path).await.expect(200);
    assert!(!setup.to_string().contains("arn:aws:") && setup.to_string().contains(&format!("arn:{}:", partition.name)), "{setup:#}");
    let all = setup["steps"].as_array().unwrap().iter().flat_map(|step| step["documents"].as_array().unwrap().clone());
    all.filter(|document| document["language"] == "json").map(|document| serde_json::from_str(document["body"].as_str().unwrap()).unwrap()).collect()
}

fn with<'a>(documents: &'a [Value], action: &str) -> &'a Value {
    documents.iter().find(|document| document.to_string().contains(action)).unwrap_or_else(|| panic!("no document with {action}"))
}

async fn start(partition: &Partition) -> (AwsDouble, Gateway) {
    let aws = partition.aws().await;
    let gateway = partition.gateway(Given::default().aws(&aws)).start().await;
    (aws, gateway)
}

/// Makes the role that the setup asks for, tests the connection, reads and lists through it.
async fn serves(partition: &Partition, aws: &AwsDouble, api: &Api, body: &Value, role: &str) {
    let name = body["name"].as_str().unwrap();
    api.post("/api/v1/connections", body).await.expect(201);
    let documents = documents(api, &format!("/api/v1/connections/{name}/setup"), partition).await;
    let (trust, permissions) = (with(&documents, "sts:AssumeRole").clone(), with(&documents, "s3:GetObject").clone());
    aws.load(&Fixture::new().account(CUSTOMER, |account| account.partition(partition.name).role(role, trust, Some(permissions))));
    let tested = api.post(&format!("/api/v1/connections/{name}/test"), &json!({})).await.expect(200);
    assert_eq!(tested["status"], "ready", "{tested:#}");
    for source in [format!("s3://{BUCKET}/train/a.txt"), partition.address(BUCKET, "train/a.txt")] {
        let read = api.read(name, &source).await;
        assert_eq!((read.status.as_u16(), read.text().as_str()), (200, "a"), "{source}");
    }
    let page = api.post(&format!("/api/v1/connections/{name}/list"), &json!({"prefix": "train/"})).await.expect(200);
    assert_eq!(page["entries"].as_array().map(Vec::len), Some(2), "{page}");
}

async fn from_setup_to_object(partition: &Partition) {
    let (aws, gateway) = start(partition).await;
    let api = gateway.api();
    let body = json!({
        "name": "films", "type": "aws_iam_role", "test_location": partition.address(BUCKET, "train/a.txt"),
        "config": {"iam_role_arn": partition.role("made-by-the-book"), "bucket_name": BUCKET, "prefix": "train/"},
    });
    serves(partition, &aws, &api, &body, "made-by-the-book").await;
    let asked: Vec<_> = aws.journal().into_iter().filter(|entry| entry.service == Some(Service::Sts) && entry.params.contains_key("RoleArn")).collect();
    let own = format!("arn:{}:", partition.name);
    assert!(asked.len() > 4 && asked.iter().all(|entry| entry.params["RoleArn"].starts_with(&own) && !entry.params["Policy"].contains("arn:aws:")));
    assert!(asked.iter().any(|entry| entry.params["Policy"].contains(&format!("{own}s3:::{BUCKET}/train/*"))), "the session policy of what is read");

    // The default connection, by the bucket policy that its setup renders.
    let documents = documents(&api, &format!("/api/v1/connections/portcullis/setup?bucket={SHARED}"), partition).await;
    aws.bucket_policy(SHARED, Some(with(&documents, "s3:GetObject")));
    assert_eq!(api.read("portcullis", &format!("s3://{SHARED}/train/b.txt")).await.text(), "b");

    // A job reads from there, too.
    let assets = json!([{"source_path": partition.address(BUCKET, "train/a.txt")}, {"source_path": format!("s3://{BUCKET}/train/b.txt")}]);
    let job = api.post("/api/v1/ingestion/assets", &json!({"dataset_id": "d", "connection_name": "films", "assets": assets})).await.expect(202);
    let ended = api.finished(job["job_id"].as_str().unwrap()).await;
    assert_eq!((&ended["status"], &ended["errored"]), (&json!("completed"), &json!(0)), "{ended}");

    // Nobody reaches over: not to a role, and not to a bucket by its address.
    let elsewhere =
        json!({"name": "elsewhere", "type": "aws_iam_role", "config": {"iam_role_arn": format!("arn:aws:iam::{CUSTOMER}:role/x"), "bucket_name": BUCKET}});
    let made = api.post("/api/v1/connections", &elsewhere).await.expect(201);
    assert!(made["status"] == "error" && made.to_string().contains("role_in_another_partition"), "{made:#}");
    let asked = aws.journal().len();
    let read = api.read("films", &format!("https://{BUCKET}.s3.eu-west-1.amazonaws.com/train/a.txt")).await;
    assert!(read.status.is_client_error() || read.status == 502, "{}", read.text());
    assert_eq!((read.code().as_str(), aws.journal().len()), ("partition_mismatch", asked), "{}", read.text());
}

#[tokio::test]
async fn c01_c07_s21_a_connection_in_china_is_made_tested_and_read() {
    from_setup_to_object(&CHINA).await;
}

#[tokio::test]
async fn c01_c07_s21_a_connection_in_govcloud_is_made_tested_and_read() {
    from_setup_to_object(&GOVCLOUD).await;
}

/// Without an endpoint of the operator's, the hosts are the partition's own: seen in the plan, before anything is sent.
#[tokio::test]
async fn s03_b13_a_partitions_objects_are_asked_at_its_own_domain() {
    for partition in [CHINA, GOVCLOUD] {
        let gateway = partition.gateway(Given::default()).start().await;
        for source in [format!("s3://{SHARED}/a.txt"), partition.address(SHARED, "a.txt")] {
            let plan = gateway.api().post("/api/v1/plan", &json!({"connection": "portcullis", "source_paths": [source]})).await.expect(200);
            assert_eq!(plan["items"][0]["request"]["url"], partition.address(SHARED, "a.txt"), "{plan:#}");
        }
    }
}

/// The double is as strict as AWS: keys, roles and buckets of one partition are unknown in every other.
#[tokio::test]
async fn nobody_of_one_partition_is_known_in_another() {
    let aws = CHINA.aws().await;
    let client = AwsClient::new(aws.endpoint());
    let user = aws.user_credentials(PLATFORM, GATEWAY_USER);
    for (region, outcome) in [("cn-north-1", "403 AccessDenied"), ("eu-west-1", "403 InvalidAccessKeyId"), ("us-gov-west-1", "403 InvalidAccessKeyId")] {
        assert_eq!(client.get(&user, region, &format!("/{BUCKET}/train/a.txt")).await.outcome(), outcome, "{region}");
    }
    // This client asks STS in us-east-1.
    let refused = client.assume(&user, &CHINA.gateway_role(), &[]).await.expect_err("another partition's keys");
    assert_eq!(refused.outcome(), "403 InvalidClientTokenId");
}
