//! What becomes of each kind of remote, and that nothing shown holds a secret.

use serde_json::json;

use super::*;

fn read_with(text: &str, buckets: &[(&str, &str)], roles: &[(&str, &str)], reserve: bool) -> Vec<Found> {
    let hints = Hints { buckets: buckets.to_vec(), roles: roles.to_vec(), reserve };
    read(text, &hints).unwrap_or_else(|failure| panic!("{}", failure.text()))
}

/// Its type and config, or why not.
fn outcome(found: &Found) -> Value {
    match found {
        Ok(wanted) => json!([wanted.connector, wanted.config]),
        Err((_, why)) => json!(why),
    }
}

#[test]
fn c12_each_remote_becomes_a_connection_or_says_why_not() {
    let role = "arn:aws:iam::444455556666:role/reader";
    let text = |options: &str| format!("# rclone\n[Prod Media]\n{options}\n");
    for (options, expected) in [
        (
            "type = http\nurl = https://u%40x:p%3Aw@files.example:8443/a/b/",
            json!(["https_basic", {"hostname": "files.example", "port": 8443, "path_prefix": "/a/b", "username": "u@x", "password": "p:w"}]),
        ),
        ("type = http\nurl = https://files.example", json!(["https_public", {"hostname": "files.example"}])),
        (
            "type = http\nurl = https://files.example\nheaders = Authorization,Bearer abc",
            json!(["https_bearer", {"hostname": "files.example", "bearer_token": "abc"}]),
        ),
        (
            "type = http\nurl = https://files.example\nheaders = \"Authorization\",\"Basic dTpwOnc=\"",
            json!(["https_basic", {"hostname": "files.example", "username": "u", "password": "p:w"}]),
        ),
        (
            "type = http\nurl = https://files.example\nheaders = X-Api-Key,\"a,\"\"b\"",
            json!(["https_header", {"hostname": "files.example", "header_name": "x-api-key", "api_key": "a,\"b"}]),
        ),
        ("type = s3\nprovider = AWS\nrole_arn = arn:aws:iam::444455556666:role/reader\nrole_session_duration = 15m\nregion = eu-west-1", {
            json!(["aws_iam_role", {"iam_role_arn": role, "bucket_name": "media", "session_ttl": 900, "region": "eu-west-1"}])
        }),
        (
            "type = s3\nprovider = GCS\naccess_key_id = GOOG1\nsecret_access_key = hunter2\nendpoint = https://storage.googleapis.com",
            json!(["gcs_hmac", {"bucket_name": "media", "access_id": "GOOG1", "secret": "hunter2"}]),
        ),
    ] {
        let found = read_with(&text(options), &[("Prod Media", "media")], &[], false);
        assert_eq!(outcome(&found[0]), expected, "{options}");
        let Ok(wanted) = &found[0] else { panic!("{options}") };
        assert_eq!((wanted.from.as_str(), wanted.name.as_str()), ("Prod Media", "prod_media"));
        let shown = format!("{} {}", wanted.shown(), Value::Object(wanted.config_shown()));
        assert!(!["hunter2", "p:w", "abc", "a,"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }
    for (options, says) in [
        ("type = s3\nprovider = AWS\naccess_key_id = AKIA\nsecret_access_key = hunter2", "static keys are not taken"),
        ("type = s3\nenv_auth = true", "stay there"),
        ("type = s3\nprovider = AWS", "https_public"),
        ("type = s3\nprovider = Minio\nendpoint = https://minio.example", "no connector for other S3 servers"),
        ("type = s3\nprovider = AWS\nendpoint = https://s3.evilamazonaws.com.evil.example", "no connector for other S3 servers"),
        ("type = http\nurl = http://files.example", "https alone"),
        ("type = http\nurl = https://files.example?sig=hunter2", "query"),
        ("type = http\nurl = https://files.example\nheaders = Cookie,hunter2", "cookie"),
        ("type = http\nurl = https://files.example\nheaders = A,hunter2,B", "cannot be read"),
        ("type = http\nurl = https://u:hunter2@files.example\nheaders = A,b", "more than one credential"),
        ("type = drive\ntoken = hunter2", "'drive'"),
        ("type = azureblob\nkey = hunter2", "azure_blob"),
        ("token = hunter2", "no type"),
    ] {
        let found = read_with(&text(options), &[], &[], false);
        let why = outcome(&found[0]);
        assert!(why.as_str().is_some_and(|why| why.contains(says) && !why.contains("hunter2")), "{options}: {why}");
    }
}

#[test]
fn l01_keys_stay_behind_where_a_role_is_named_or_reserved_and_an_alias_names_the_bucket() {
    let text = "[aws]\ntype = s3\nprovider = AWS\naccess_key_id = AKIA\nsecret_access_key = hunter2\nrole_external_id = x\n[films]\ntype = alias\nremote = aws:media/2024\n";
    let found = read_with(text, &[], &[("films", "arn:aws:iam::444455556666:role/reader")], false);
    assert!(outcome(&found[0]).as_str().is_some_and(|why| why.contains("--role aws=ARN")));
    assert_eq!(outcome(&found[1]), json!(["aws_iam_role", {"iam_role_arn": "arn:aws:iam::444455556666:role/reader", "bucket_name": "media"}]));
    let found = read_with(text, &[("aws", "all")], &[], true);
    for (found, bucket) in found.iter().zip(["all", "media"]) {
        assert_eq!(outcome(found), json!(["aws_iam_role", {"iam_role_arn": PLACEHOLDER, "bucket_name": bucket}]));
        let Ok(wanted) = found else { panic!("{bucket}") };
        assert!(!wanted.body().to_string().contains("hunter2") && !wanted.body().to_string().contains("AKIA"));
        let note = wanted.note.clone().unwrap_or_default();
        assert!(note.contains("keys stay behind") && note.contains("external id is made anew"), "{note}");
    }
}

#[test]
fn c12_connections_as_json_are_taken_alone_in_a_list_and_as_answered() {
    let role = json!({"iam_role_arn": "arn:aws:iam::444455556666:role/reader", "bucket_name": "media"});
    let one = json!({"name": "films", "type": "aws_iam_role", "config": role, "test_location": "s3://media/a.mp4", "description": null});
    for document in [one.clone(), json!([one]), json!({"connections": [one]}), json!({"items": [one], "next_cursor": null})] {
        let found = read_with(&document.to_string(), &[], &[], false);
        let [Ok(wanted)] = found.as_slice() else { panic!("{document}") };
        assert_eq!(wanted.body(), json!({"name": "films", "type": "aws_iam_role", "config": role, "test_location": "s3://media/a.mp4"}));
    }
    let answered =
        json!({"name": "films", "type": "aws_iam_role", "config": role, "connection_id": "x", "status": "ready", "external_id": "y", "colour": "red"});
    let found = read_with(&answered.to_string(), &[], &[], false);
    let [Ok(wanted)] = found.as_slice() else { panic!("not taken") };
    let note = wanted.note.clone().unwrap_or_default();
    assert!(note.contains("external id is made anew") && note.contains("left out: colour") && !note.contains("status"), "{note}");
    for (document, says) in [
        (json!([{}, 7]), "not an object"),
        (json!([{"type": "x", "config": {}}]), "no name"),
        (json!([{"name": "films", "config": {}}]), "no type"),
        (json!([{"name": "films", "type": "x"}]), "no config"),
        (json!([{"name": "coactive", "type": "aws_bucket_policy", "config": {}}]), "always exists"),
        (json!([{"name": "press", "type": "https_basic", "config": {"password": "****"}}]), "does not hold its secret 'password'"),
        (json!([{"name": "press", "type": "https_basic", "config": {"password": {"set": true}}}]), "does not hold its secret 'password'"),
    ] {
        let why = read_with(&document.to_string(), &[], &[], false).last().map(outcome).unwrap_or_default();
        assert!(why.as_str().is_some_and(|why| why.contains(says)), "{document}: {why}");
    }
    let dump = json!({"web": {"type": "http", "url": "https://files.example"}, "gone": {"type": "drive"}});
    let found = read_with(&dump.to_string(), &[], &[], false);
    assert!(found.iter().any(|found| found.is_ok()) && found.iter().any(|found| found.is_err()), "the output of `rclone config dump`");
}

#[test]
fn what_is_no_such_file_says_so_and_quotes_nothing_of_it() {
    let hints = Hints { buckets: Vec::new(), roles: Vec::new(), reserve: false };
    for text in [
        "secret = hunter2\n",
        "[a\nkey = hunter2",
        "[a]\nhunter2\n",
        "[a]\ntype = s3\n[a]\n",
        "{\"hunter2\"",
        "{\"a\": \"hunter2\"}",
        "7hunter2",
        "RCLONE_ENCRYPT_V0:\nhunter2",
    ] {
        let Err(failure) = read(text, &hints) else { panic!("{text}") };
        assert!(matches!(failure, Failure::Usage(_)) && !failure.text().contains("hunter2"), "{}", failure.text());
    }
}

#[test]
fn c17_names_are_made_to_fit() {
    let long = "x".repeat(300);
    for (name, fits) in [("Prod Media", "prod_media"), ("__a-b.c__", "a_b_c"), ("s3", "imported_s3"), ("日本", "imported_1"), ("films", "films")] {
        assert_eq!(fitting(name), fits);
    }
    assert_eq!(fitting(&long).len(), 255);
}
