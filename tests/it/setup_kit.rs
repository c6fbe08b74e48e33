//! The setup kit as it is pasted (SPEC B7): what its policies allow, to the request; and its commands, run by AWS's own CLI.

use std::process::{Command, Stdio};

use portcullis_tests::aws::{Attached, Context, Place, Policy, Principal, Request, allowed, may_assume};
use portcullis_tests::ministack::{Ministack, root};
use portcullis_tests::scene::{CUSTOMER, MEDIA, PLATFORM, fixture};
use portcullis_tests::stack::AwsStack;
use serde_json::{Value, json};

use crate::house::component;
use crate::play::{gateway_on, play, role_body};
use crate::plugin_install::install;

const PREFIX: &str = "train/";

/// The bodies of a setup's documents in one language.
fn documents(setup: &Value, language: &str) -> Vec<String> {
    let all = setup["steps"].as_array().unwrap().iter().flat_map(|step| step["documents"].as_array().unwrap());
    all.filter(|document| document["language"] == language).map(|document| document["body"].as_str().unwrap().to_owned()).collect()
}

fn policy(setup: &Value, mentions: &str) -> Value {
    let found = documents(setup, "json").into_iter().find(|body| body.contains(mentions));
    serde_json::from_str(&found.unwrap_or_else(|| panic!("no document about {mentions}: {setup:#}"))).unwrap()
}

fn session(account: &str, role: &str) -> Principal {
    Principal::Session { partition: "aws", account: account.into(), role: role.into(), session: "portcullis-acme".into() }
}

fn gateway() -> Principal {
    session(PLATFORM, "portcullis")
}

/// Who asks, other than the gateway's role.
fn strangers() -> Vec<Principal> {
    vec![
        session(PLATFORM, "portcullis2"),
        session(PLATFORM, "Portcullis"),
        session("999988887777", "portcullis"),
        session(CUSTOMER, "portcullis"),
        Principal::User { partition: "aws", account: PLATFORM.into(), name: "portcullis".into() },
        Principal::Anonymous,
    ]
}

fn context(pairs: &[(&str, Option<&str>)]) -> Context {
    pairs.iter().filter_map(|(key, value)| Some((key.to_ascii_lowercase(), vec![(*value)?.to_owned()]))).collect()
}

/// A policy that allows everything: what is then denied is the other side's doing.
fn everything() -> Policy {
    Policy::parse(Place::Identity, &json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})).unwrap()
}

/// What is asked of S3: action, resource, the listing's prefix; and whether a connection for `bucket`, below `prefix`, needs it.
fn requests(bucket: &str, prefix: &str) -> Vec<(&'static str, String, Option<String>, bool)> {
    let buckets = [bucket.to_owned(), format!("{bucket}x"), bucket[..bucket.len() - 1].to_owned(), bucket.to_uppercase(), "other".to_owned()];
    let keys =
        ["train/a.jpg", "train/", "train//x", "train/deep/日本語", "train/*", "train", "training/x", "TRAIN/x", "/train/x", "a", "private/x", "tr*", "*"];
    let on_objects = [
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:GetObjectAcl",
        "s3:GetObjectTagging",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:PutObjectAcl",
        "s3:RestoreObject",
    ];
    let on_buckets =
        ["s3:ListBucketVersions", "s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:GetBucketAcl", "s3:DeleteBucket", "s3:GetEncryptionConfiguration"];
    let elsewhere = ["s3:ListAllMyBuckets", "iam:PassRole", "sts:AssumeRole", "kms:Decrypt", "ec2:DescribeInstances"];
    let mut all = Vec::new();
    for name in &buckets {
        for key in keys {
            let needed = name == bucket && key.starts_with(prefix);
            for action in on_objects {
                all.push((action, format!("arn:aws:s3:::{name}/{key}"), None, action == "s3:GetObject" && needed));
            }
            // `*` of a listing's prefix is a character, too.
            all.push(("s3:ListBucket", format!("arn:aws:s3:::{name}"), Some(key.to_owned()), needed));
        }
        all.push(("s3:ListBucket", format!("arn:aws:s3:::{name}"), None, name == bucket && prefix.is_empty()));
        all.extend(on_buckets.map(|action| (action, format!("arn:aws:s3:::{name}"), None, false)));
    }
    all.extend(elsewhere.map(|action| (action, "*".to_owned(), None, false)));
    all
}

/// Asks the documents of a connection by role for everything; how many questions, and how many of them were allowed.
fn ask_a_role(setup: &Value, external_id: &str, prefix: &str) -> (usize, usize) {
    let (mut asked, mut granted) = (0, 0);
    let mut judge = |what: &str, allowed: bool, expected: bool| {
        assert_eq!(allowed, expected, "{what}");
        asked += 1;
        granted += usize::from(allowed);
    };
    let trust = Policy::parse(Place::Trust, &policy(setup, "sts:ExternalId")).unwrap();
    let permissions = Policy::parse(Place::Identity, &policy(setup, "s3:GetObject")).unwrap();
    let (lower, longer, shorter, all) = (external_id.to_lowercase(), format!("{external_id}x"), &external_id[..external_id.len() - 1], everything());
    let ids = [None, Some(external_id), Some(lower.as_str()), Some(longer.as_str()), Some(shorter), Some("*"), Some("pc-0123456789abcdefghijklmn"), Some("")];
    let role = format!("arn:aws:iam::{CUSTOMER}:role/reader");
    for principal in strangers().into_iter().chain([gateway()]) {
        for id in ids {
            for tag in [None, Some("acme"), Some("other")] {
                for action in ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "iam:UpdateAssumeRolePolicy"] {
                    let context = context(&[("sts:ExternalId", id), ("aws:PrincipalTag/organization", tag)]);
                    let request = Request { principal: &principal, action, resource: &role, context: &context };
                    let expected = principal == gateway() && id == Some(external_id) && action == "sts:AssumeRole";
                    let attached = Attached { identity: Some(&all), session: None };
                    judge(&format!("{action} by {principal:?} with {id:?}"), may_assume(&request, attached, &trust, CUSTOMER), expected);
                }
            }
        }
    }
    let reader = session(CUSTOMER, "reader");
    for (action, resource, listed, expected) in requests(MEDIA, prefix) {
        let context = context(&[("s3:prefix", listed.as_deref())]);
        let request = Request { principal: &reader, action, resource: &resource, context: &context };
        let attached = Attached { identity: Some(&permissions), session: None };
        judge(&format!("{action} on {resource}, prefix {listed:?}"), allowed(&request, attached, None, CUSTOMER), expected);
    }
    (asked, granted)
}

#[tokio::test]
async fn b07_c07_l02_p05_the_documents_allow_list_and_get_below_the_prefix_and_nothing_else() {
    let play = play().await;
    let acme = play.api.token("acme", "admin").await;
    install(&play.api, component("aws_account_role")).await;
    let role = format!("arn:aws:iam::{CUSTOMER}:role/reader");
    for (name, kind, config) in [
        ("by_role", "aws_iam_role", json!({"iam_role_arn": role, "bucket_name": MEDIA, "prefix": "train"})),
        ("by_role_whole", "aws_iam_role", json!({"iam_role_arn": role, "bucket_name": MEDIA})),
        ("by_account", "aws_account_role", json!({"account_id": CUSTOMER, "region": "eu-west-1", "bucket_name": MEDIA, "prefix": PREFIX})),
    ] {
        let prefix = if config["prefix"].is_string() { PREFIX } else { "" };
        let made = acme.post("/api/v1/connections", &json!({"name": name, "type": kind, "config": config})).await.expect(201);
        assert_eq!(made["config"]["prefix"].as_str().unwrap_or_default(), prefix, "a prefix ends with its slash");
        let setup = acme.get(&format!("/api/v1/connections/{name}/setup")).await.expect(200);
        let (asked, granted) = ask_a_role(&setup, made["external_id"].as_str().unwrap(), prefix);
        println!("{kind}: {granted} of {asked} requests are allowed");
        assert!(asked >= 500 && granted >= 10, "{kind}: {granted} of {asked}");
    }

    // A bucket policy, over accounts and in the gateway's own, for the organization that the connection belongs to.
    let config = json!({"bucket_name": MEDIA, "prefix": PREFIX});
    acme.post("/api/v1/connections", &json!({"name": "by_bucket", "type": "aws_bucket_policy", "config": config})).await.expect(201);
    for (path, prefix) in [("by_bucket/setup".to_owned(), PREFIX), (format!("portcullis/setup?bucket={MEDIA}"), "")] {
        let setup = acme.get(&format!("/api/v1/connections/{path}")).await.expect(200);
        let bucket = Policy::parse(Place::Bucket, &policy(&setup, "s3:GetObject")).unwrap();
        let (mut asked, mut granted, all) = (0, 0, everything());
        for principal in strangers().into_iter().chain([gateway()]) {
            for tag in [None, Some("acme"), Some("ACME"), Some("other"), Some("acme2"), Some("*")] {
                for (action, resource, listed, needed) in requests(MEDIA, prefix).into_iter().filter(|(_, resource, ..)| resource.contains(MEDIA)) {
                    let context = context(&[("s3:prefix", listed.as_deref()), ("aws:PrincipalTag/organization", tag)]);
                    let request = Request { principal: &principal, action, resource: &resource, context: &context };
                    let expected = needed && principal == gateway() && tag == Some("acme");
                    let attached = Attached { identity: Some(&all), session: None };
                    // The bucket's owner may, by whatever its own policies say: they are not the kit's.
                    if principal.account().is_none_or(|account| account != CUSTOMER) {
                        assert_eq!(allowed(&request, attached, Some(&bucket), CUSTOMER), expected, "{action} on {resource} by {principal:?} of {tag:?}");
                        asked += 1;
                        granted += usize::from(expected);
                    }
                }
            }
        }
        println!("aws_bucket_policy, {path}: {granted} of {asked} requests are allowed");
        assert!(asked >= 500 && granted >= 10, "{path}: {granted} of {asked}");
    }
}

#[tokio::test]
async fn b07_every_policy_comes_as_json_as_terraform_and_as_commands_with_nothing_to_fill_in() {
    let play = play().await;
    let mut body = role_body("films");
    body["config"]["prefix"] = json!("it's \"$HOME\" ${a} 100%{b} `x`/");
    body["test_location"] = Value::Null;
    play.api.post("/api/v1/connections", &body).await.expect(201);
    let reserved =
        json!({"name": "reserved", "type": "aws_iam_role", "config": {"iam_role_arn": "arn:aws:iam::000000000000:role/temporary", "bucket_name": MEDIA}});
    play.api.post("/api/v1/connections", &reserved).await.expect(201);
    for (path, policies) in [("films/setup", 3), ("reserved/setup", 3), ("portcullis/setup?bucket=media", 2)] {
        let setup = play.api.get(&format!("/api/v1/connections/{path}")).await.expect(200);
        for language in ["json", "hcl", "sh"] {
            assert_eq!(documents(&setup, language).len(), policies, "{path} {language}");
        }
        for text in documents(&setup, "hcl").iter().chain(&documents(&setup, "sh")) {
            for left in ["YOUR", "<bucket", "BUCKET_NAME", "000000000000", "temporary", "{{", "TODO", "…"] {
                assert!(!text.contains(left), "{path}: {left} is left in\n{text}");
            }
        }
    }
}

/// Runs commands as somebody who pasted them into a shell, with the account's root keys, by which ministack knows it.
fn paste(aws: &Ministack, account: &str, script: &str) -> (bool, String) {
    let bin = root().join("target/ministack-venv/bin");
    assert!(bin.join("aws").exists(), "the AWS CLI is not installed: run `scripts/ministack install` (`make test` does)");
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).env_clear().stdin(Stdio::null());
    shell.envs([("AWS_ACCESS_KEY_ID", account), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_MAX_ATTEMPTS", "2")]);
    shell.env("AWS_ENDPOINT_URL", aws.endpoint().as_str().trim_end_matches('/')).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    shell.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    let output = shell.output().unwrap();
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn b07_the_commands_of_the_kit_let_the_gateway_in_when_awss_own_cli_runs_them() {
    let aws = Ministack::with(&fixture()).await;
    let gateway = gateway_on(&aws).await;
    let api = gateway.api();
    let role = format!("arn:aws:iam::{CUSTOMER}:role/it/reads+films");
    let config = json!({"iam_role_arn": role, "bucket_name": MEDIA, "prefix": PREFIX});
    let body = json!({"name": "films", "type": "aws_iam_role", "config": config, "test_location": format!("s3://{MEDIA}/train/a.jpg")});
    let made = api.post("/api/v1/connections", &body).await.expect(201);
    assert_eq!(made["status"], "error", "there is no role yet");
    let setup = api.get("/api/v1/connections/films/setup").await.expect(200);
    // Twice: who is not sure whether it worked pastes again.
    for round in ["first", "second"] {
        for script in documents(&setup, "sh").iter().take(2) {
            let (ended_well, output) = paste(&aws, CUSTOMER, script);
            assert!(ended_well, "{round}: {script}\n{output}");
        }
    }
    let tested = api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
    assert_eq!(tested["status"], "ready", "{tested:#}");
    assert_eq!(api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.text(), "jpeg a");
    api.read("films", &format!("s3://{MEDIA}/top.txt")).await.problem(403, "scope_violation");
    let (_, stored) = paste(&aws, CUSTOMER, "aws iam get-role --role-name=reads+films --query Role.AssumeRolePolicyDocument");
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), policy(&setup, "sts:ExternalId"), "{stored}");
    let (_, stored) = paste(&aws, CUSTOMER, "aws iam get-role-policy --role-name=reads+films --policy-name=GatewayReads --query PolicyDocument");
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), policy(&setup, "s3:GetObject"), "{stored}");

    // A bucket of the platform's own account, since the referee knows no conditions over accounts; it has no policy yet.
    let (made_it, output) = paste(&aws, PLATFORM, "aws s3api create-bucket --bucket=new-bucket && printf new | aws s3 cp - s3://new-bucket/a.txt");
    assert!(made_it, "{output}");
    let acme = api.token("acme", "admin").await;
    acme.read("portcullis", "s3://new-bucket/a.txt").await.problem(502, "permission_denied");
    let setup = acme.get("/api/v1/connections/portcullis/setup?bucket=new-bucket").await.expect(200);
    for script in documents(&setup, "sh") {
        let (ended_well, output) = paste(&aws, PLATFORM, &script);
        assert!(ended_well, "{script}\n{output}");
    }
    assert_eq!(acme.read("portcullis", "s3://new-bucket/a.txt").await.text(), "new");
    api.read("portcullis", "s3://new-bucket/a.txt").await.problem(502, "permission_denied");
    let rules = paste(&aws, PLATFORM, "aws s3api get-bucket-cors --bucket=new-bucket").1;
    let expected: Value = serde_json::from_str(documents(&setup, "json").last().unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&rules).unwrap()["CORSRules"], expected, "{rules}");

    // Somebody else's setup for the same bucket does not take away what is there.
    let setup = api.get("/api/v1/connections/portcullis/setup?bucket=new-bucket").await.expect(200);
    for script in documents(&setup, "sh") {
        let (_, output) = paste(&aws, PLATFORM, &script);
        assert!(output.contains("The bucket has"), "{output}");
    }
    assert_eq!(acme.read("portcullis", "s3://new-bucket/a.txt").await.text(), "new");
}

#[tokio::test]
async fn s19_c07_a_connection_with_a_prefix_reads_and_lists_below_it_only() {
    let play = play().await;
    let mut body = role_body("films");
    body["config"]["prefix"] = json!("train");
    let made = play.api.post("/api/v1/connections", &body).await.expect(201);
    // The customer gives the role what the setup asks for, and no more.
    let setup = play.api.get("/api/v1/connections/films/setup").await.expect(200);
    let role =
        |fixture: portcullis_tests::aws::fixture::Account| fixture.role("media/reader", policy(&setup, "sts:ExternalId"), Some(policy(&setup, "s3:GetObject")));
    play.aws.load(&portcullis_tests::aws::Fixture::new().account(CUSTOMER, role));
    let tested = play.api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
    assert_eq!((&tested["status"], &made["config"]["prefix"]), (&json!("ready"), &json!("train/")), "{tested:#}");
    assert_eq!(play.api.read("films", &format!("s3://{MEDIA}/train/a.jpg")).await.text(), "jpeg a");
    let page = play.api.post("/api/v1/connections/films/list", &json!({"prefix": ""})).await.expect(200);
    assert_eq!(page["entries"].as_array().map(Vec::len), Some(2), "from the top is from the prefix: {page}");
    play.aws.forget_journal();
    for key in ["top.txt", "train", "training/x", "TRAIN/x", "private/x.txt", "/train/a.jpg"] {
        play.api.read("films", &format!("s3://{MEDIA}/{key}")).await.problem(403, "scope_violation");
    }
    play.api.post("/api/v1/connections/films/list", &json!({"prefix": "private/"})).await.problem(403, "scope_violation");
    assert!(play.aws.journal().is_empty(), "nobody was asked");

    // Its session opens no more, even where the role would.
    let wide = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let role = |fixture: portcullis_tests::aws::fixture::Account| fixture.role("media/reader", policy(&setup, "sts:ExternalId"), Some(wide.clone()));
    play.aws.load(&portcullis_tests::aws::Fixture::new().account(CUSTOMER, role));
    play.api.post("/api/v1/connections/films/test", &json!({})).await.expect(200);
    let serving = play
        .aws
        .journal()
        .into_iter()
        .rfind(|entry| entry.params.get("RoleSessionName").is_some_and(|name| name.starts_with("portcullis-")) && entry.params.contains_key("ExternalId"));
    let narrowed = Policy::parse_text(Place::Session, &serving.unwrap().params["Policy"]).unwrap();
    let (all, reader, mut granted) = (Policy::parse(Place::Identity, &wide).unwrap(), session(CUSTOMER, "media/reader"), 0);
    for (action, resource, listed, needed) in requests(MEDIA, PREFIX) {
        let context = context(&[("s3:prefix", listed.as_deref())]);
        let request = Request { principal: &reader, action, resource: &resource, context: &context };
        let may = allowed(&request, Attached { identity: Some(&all), session: Some(&narrowed) }, None, CUSTOMER);
        // A version is an object, too.
        let version = action == "s3:GetObjectVersion" && resource.starts_with(&format!("arn:aws:s3:::{MEDIA}/{PREFIX}"));
        assert_eq!(may, needed || version, "{action} on {resource}, prefix {listed:?}");
        granted += usize::from(may);
    }
    assert!(granted >= 10);
}
