//! Whole judgements: what a plan asks for against what a connection may reach.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::model::{
    AssumeRole, ConnectionId, ConnectionName, ConnectionState, Digest, ExternalId, Header, OAuth2, OrgId, Piece, Region, RoleArn, SealedSecret, Timestamp,
};

fn grant(egress: &[&str], settings: Value) -> Arc<Grant> {
    grant_with(egress, settings, &AddressPolicy::default())
}

fn grant_with(egress: &[&str], settings: Value, addresses: &AddressPolicy) -> Arc<Grant> {
    let secret = || SealedSecret { key_id: "k".to_owned(), revision: 1, sealed: String::new() };
    let connection = Connection {
        settings,
        secrets: BTreeMap::from([("password".to_owned(), secret()), ("token".to_owned(), secret())]),
        state: ConnectionState::Ready,
        ..Connection::new(
            ConnectionId(Uuid::from_u128(1)),
            OrgId::new("org").expect("valid"),
            ConnectionName::new("assets").expect("valid"),
            "https_basic".to_owned(),
            Digest([0; 32]),
            ExternalId::new("0123456789abcdef0123456789abcdef").expect("valid"),
            Timestamp::from_millis(0),
        )
    };
    let description = Description {
        id: "https_basic".to_owned(),
        title: String::new(),
        version: String::new(),
        summary: String::new(),
        settings: Value::Null,
        source_schemes: Vec::new(),
        egress: egress.iter().map(ToString::to_string).collect(),
        capabilities: Vec::new(),
    };
    Arc::new(Grant::new(connection, &description, BTreeSet::new(), addresses).expect("the settings fit"))
}

/// The connection of the catalogue: `https://assets.cust.example:443`.
fn assets() -> Arc<Grant> {
    grant(&["https://{settings.hostname}"], json!({"hostname": "assets.cust.example"}))
}

fn object(url: &str) -> HttpObject {
    HttpObject { url: url.to_owned(), headers: Vec::new() }
}

fn ask(grant: &Arc<Grant>, url: &str) -> Result<Permit> {
    grant.permit_http(Action::Read, &object(url), &Credential::Anonymous)
}

fn sent(permit: &Permit) -> (String, u16, String) {
    match permit.resource() {
        Resource::Web(web) => (web.host().to_owned(), web.port(), web.path_and_query().to_owned()),
        other => panic!("{other:?} is no web request"),
    }
}

fn bucket(name: &str) -> BucketName {
    BucketName::new(name).expect("a bucket")
}

fn s3(name: &str, key: &str) -> S3Object {
    S3Object { bucket: bucket(name), key: ObjectKey::new(key).expect("a key"), region: None, version_id: None }
}

fn role(arn: &str) -> AssumeRole {
    AssumeRole { role_arn: RoleArn::new(arn).expect("a role"), duration_seconds: 900, region: None }
}

fn code<T>(result: Result<T>) -> String {
    result.map_or_else(|error| error.code().to_owned(), |_| "ok".to_owned())
}

#[test]
fn e01_to_e25_p10_urls_outside_of_the_egress_are_refused() {
    let grant = assets();
    for (url, why) in [
        // E01
        ("http://assets.cust.example/x", "outside"),
        ("ftp://assets.cust.example/x", "does not begin"),
        ("file:///etc/passwd", "does not begin"),
        ("gopher://assets.cust.example/x", "does not begin"),
        ("data:,x", "does not begin"),
        ("https:evil.example", "does not begin"),
        ("https:/assets.cust.example/x", "does not begin"),
        ("HTTPS:\\\\assets.cust.example/x", "percent-encoded"),
        ("s3://other-bucket/k", "does not begin"),
        ("", "does not begin"),
        // E02, E03
        ("https://169.254.169.254/", "outside"),
        ("https://169.254.170.2/", "outside"),
        ("https://[fd00:ec2::254]/", "outside"),
        ("https://100.100.100.200/", "outside"),
        ("https://2852039166/", "169.254.169.254"),
        ("https://0xA9FEA9FE/", "169.254.169.254"),
        ("https://0251.0376.0251.0376/", "169.254.169.254"),
        ("https://169.254.43518/", "169.254.169.254"),
        ("https://127.1/", "127.0.0.1"),
        ("https://0/", "0.0.0.0"),
        ("https://0x7f.1/", "127.0.0.1"),
        // E04, E06
        ("https://[::ffff:169.254.169.254]/", "outside"),
        ("https://[64:ff9b::a9fe:a9fe]/", "outside"),
        ("https://[2002:a9fe:a9fe::1]/", "outside"),
        ("https://①⑥⑨。②⑤④。①⑥⑨。②⑤④/", "169.254.169.254"),
        ("https://１２７．０．０．１/", "127.0.0.1"),
        // E07
        ("https://assets.cust.example@evil.example/", "user"),
        ("https://u:p@assets.cust.example/", "user"),
        ("https://@assets.cust.example/", "user"),
        // E08
        ("https://evil.example\\@assets.cust.example/", "percent-encoded"),
        ("https://assets.cust.example\\x", "percent-encoded"),
        ("https://assets.cust.example/a b", "percent-encoded"),
        ("https://assets.cust.example/a\tb", "percent-encoded"),
        ("https://assets.cust.example/a\rb", "percent-encoded"),
        ("https://assets.cust.example/a\nb", "percent-encoded"),
        ("https://assets.cust.example/a\0b", "percent-encoded"),
        ("https://assets.cust.example/a\u{7f}b", "percent-encoded"),
        (" https://assets.cust.example/", "percent-encoded"),
        ("ht\ntps://assets.cust.example/", "percent-encoded"),
        // E09
        ("https://evil.example#@assets.cust.example/", "fragment"),
        ("https://assets.cust.example/x#f", "fragment"),
        ("https://evil.example?@assets.cust.example/", "outside"),
        ("//evil.example/x", "does not begin"),
        // E10
        ("https://assets.cust.example.evil.example/", "outside"),
        ("https://evilassets.cust.example/", "outside"),
        ("https://cust.example/", "outside"),
        ("https://assets.cust.example%2eevil.example/", "percent-encoded"),
        ("https://\u{430}ssets.cust.example/", "outside"),
        ("https://assets.cust.example../", "outside"),
        // E12
        ("https://assets.cust.example:22/", "outside"),
        ("https://assets.cust.example:6379/", "outside"),
        ("https://assets.cust.example:8443/", "outside"),
        ("https://assets.cust.example:0/", "outside"),
        ("https://assets.cust.example:65536/", "not a valid URL"),
        ("https://assets.cust.example:+443/", "not a valid URL"),
        // E22, E25
        ("https://mfrgg2lt.evil.example/", "outside"),
        ("https://[fe80::1%25eth0]/", "percent-encoded"),
        ("https://[::1%25lo]/", "percent-encoded"),
        ("https://[::ffff:127.0.0.1]:443/", "outside"),
        ("https://[v1.x]/", "not a valid URL"),
        ("https://", "no host"),
        ("https:///assets.cust.example/", "no host"),
        // What a parser would rewrite is not what was judged.
        ("https://assets.cust.example/a/../b", "wire form"),
        ("https://assets.cust.example/a/./b", "wire form"),
        ("https://assets.cust.example/%2e%2e/b", "wire form"),
        ("https://assets.cust.example/a/%2E%2E", "wire form"),
        ("https://assets.cust.example/é", "wire form"),
        ("https://assets.cust.example/a\"b", "wire form"),
        ("https://assets.cust.example/a?b=<c>", "wire form"),
        (&format!("https://assets.cust.example/{}", "a".repeat(8192)), "8192"),
    ] {
        let error = ask(&grant, url).err().unwrap_or_else(|| panic!("{url:?} was permitted"));
        assert_eq!((error.code(), error.kind()), ("scope_violation", crate::model::Kind::Denied), "{url:?}");
        assert!(error.message().contains(why), "{url:?} should be refused because of '{why}': {}", error.message());
    }
}

#[test]
fn e11_e27_what_is_inside_is_sent_exactly_as_written() {
    let grant = assets();
    for (url, path) in [
        ("https://assets.cust.example/x", "/x"),
        ("https://ASSETS.Cust.Example./x", "/x"),
        ("https://assets.cust.example:443/x", "/x"),
        ("https://assets.cust.example", "/"),
        ("https://assets.cust.example?q=1", "/?q=1"),
        ("https://assets.cust.example/a%0d%0aHost:%20evil", "/a%0d%0aHost:%20evil"),
        ("https://assets.cust.example/a%2fb%2Fc//d/?x=%00&y=/../z@:", "/a%2fb%2Fc//d/?x=%00&y=/../z@:"),
        ("https://assets.cust.example/@evil.example/", "/@evil.example/"),
        ("https://assets.cust.example/100%25%zz%", "/100%25%zz%"),
        ("https://assets.cust.example/...", "/..."),
        ("https://assets.cust.example/~a!$&'()*+,;=:", "/~a!$&'()*+,;=:"),
    ] {
        let permit = ask(&grant, url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(sent(&permit), ("assets.cust.example".to_owned(), 443, path.to_owned()), "{url}");
    }
}

#[test]
fn e10_an_idn_host_is_one_host_in_both_spellings() {
    let grant = grant(&["https://{settings.hostname}"], json!({"hostname": "bücher.example"}));
    for url in ["https://bücher.example/a", "https://BÜCHER.example/a", "https://xn--bcher-kva.example/a"] {
        assert_eq!(sent(&ask(&grant, url).expect(url)).0, "xn--bcher-kva.example");
    }
}

#[test]
fn b3_a_path_prefix_covers_whole_segments() {
    let grant = grant(&["https://{settings.hostname}/{settings.path_prefix}"], json!({"hostname": "a.example", "path_prefix": "media/raw"}));
    for path in [
        "",
        "/",
        "/media",
        "/media/",
        "/media/rawx",
        "/media/ra",
        "/Media/raw/x",
        "/x/media/raw/y",
        "//media/raw/x",
        "/media//raw/x",
        "/media/raw/..%2f..%2fsecret",
        "/media/raw/%2e%2e%2fsecret",
        "/media/raw/x%5c..%5cy",
        "/media/raw/%2e%2e/x",
        "/?/media/raw/x",
    ] {
        assert_eq!(code(ask(&grant, &format!("https://a.example{path}"))), "scope_violation", "{path}");
    }
    for path in ["/media/raw", "/media/raw/", "/media/raw?x=1", "/media/raw/x", "/media/raw//x", "/media/raw/..x", "/media/raw/a%2fb"] {
        assert_eq!(code(ask(&grant, &format!("https://a.example{path}"))), "ok", "{path}");
    }
}

#[test]
fn e01_plain_http_is_permitted_where_a_rule_has_it() {
    let open = AddressPolicy { allow_networks: Vec::new(), allow_http: true };
    let grant = grant_with(&["https://{settings.hostname}", "http://{settings.hostname}:8080"], json!({"hostname": "a.example"}), &open);
    assert_eq!(code(ask(&grant, "http://a.example/x")), "scope_violation");
    assert_eq!(code(ask(&grant, "https://a.example:8080/x")), "scope_violation");
    let Resource::Web(web) = ask(&grant, "http://a.example:8080/x").expect("in the egress").resource().clone() else { panic!("no web request") };
    assert_eq!((web.https(), web.port()), (false, 8080));
}

#[test]
fn e21_a_plugin_sets_no_header_but_accept() {
    let grant = assets();
    let with = |headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        grant.permit_http(Action::Read, &HttpObject { url: "https://assets.cust.example/".to_owned(), headers }, &Credential::Anonymous)
    };
    for name in [
        "Host",
        ":authority",
        "Transfer-Encoding",
        "Connection",
        "Proxy-Authorization",
        "Cookie",
        "Authorization",
        "X-Amz-Date",
        "x-amz-security-token",
        "Content-Length",
        "Range",
        "User-Agent",
        "accept-encoding",
        "accept-language",
        "accept ",
        " accept",
        "accept\r\nx: y",
        "",
        "x-custom",
    ] {
        assert_eq!(code(with(&[(name, "x")])), "header_not_allowed", "{name:?}");
    }
    for value in ["a\r\nX-Evil: 1", "a\nb", "a\0", "a\tb", "é", "\u{7f}", &"a".repeat(257)] {
        assert_eq!(code(with(&[("accept", value)])), "header_not_allowed", "{value:?}");
    }
    assert_eq!(code(with(&[("accept", "a"), ("accept", "b")])), "header_not_allowed");
    let permit = with(&[("Accept", "image/*, */*;q=0.1")]).expect("allowed");
    let Resource::Web(web) = permit.resource() else { panic!("no web request") };
    assert_eq!(web.headers, [("accept".to_owned(), "image/*, */*;q=0.1".to_owned())]);
}

#[test]
fn p31_m26_no_header_of_a_plan_makes_a_read_into_a_write() {
    let grant = assets();
    let at = || object("https://assets.cust.example/x");
    for name in
        ["x-http-method", "X-HTTP-Method-Override", "x-method-override", "X-METHOD-OVERRIDE", "content-length", "Content-Type", "transfer-encoding", "expect"]
    {
        let pieces = vec![Piece::Text("DELETE".to_owned())];
        let credential = Credential::Headers(vec![Header { name: name.to_owned(), pieces }]);
        assert_eq!(code(grant.permit_http(Action::Read, &at(), &credential)), "header_not_allowed", "{name} of a credential");
        let proposed = HttpObject { headers: vec![(name.to_owned(), "DELETE".to_owned())], ..at() };
        assert_eq!(code(grant.permit_http(Action::Read, &proposed, &Credential::Anonymous)), "header_not_allowed", "{name} of a location");
    }
}

#[test]
fn h01_a_credential_fits_its_target() {
    let grant = assets();
    let web = |credential: Credential| code(grant.permit_http(Action::Read, &object("https://assets.cust.example/x"), &credential));
    let header = |name: &str, pieces: Vec<Piece>| Credential::Headers(vec![Header { name: name.to_owned(), pieces }]);
    let secret = || vec![Piece::Secret("token".to_owned())];
    let text = |text: &str| Piece::Text(text.to_owned());
    let grown: Vec<Piece> = std::iter::once(text("seed")).chain((0..20).map(|step| Piece::Concat(vec![step; 8]))).collect();
    for (what, credential, expected) in [
        ("the gateway's AWS role on the web", Credential::AwsGatewayRole, "credential_not_allowed"),
        ("a customer's AWS role on the web", Credential::AwsAssumeRole(role("arn:aws:iam::123456789012:role/Gw")), "credential_not_allowed"),
        ("a secret that the connection does not have", Credential::Bearer { token: "other".to_owned() }, "secret_not_set"),
        ("a secret's value instead of its name", Credential::Basic { username: "u".to_owned(), password: "hunter2".to_owned() }, "secret_not_set"),
        ("a user with a colon", Credential::Basic { username: "al:ice".to_owned(), password: "password".to_owned() }, "credential_not_allowed"),
        ("a user with a line break", Credential::Basic { username: "al\r\nice".to_owned(), password: "password".to_owned() }, "credential_not_allowed"),
        ("a credential in Host", header("Host", secret()), "header_not_allowed"),
        ("a credential in Cookie", header("cookie", secret()), "header_not_allowed"),
        ("a credential in a framing header", header("Transfer-Encoding", secret()), "header_not_allowed"),
        ("a credential in Content-Length", header("Content-Length", secret()), "header_not_allowed"),
        ("a credential in a hop's header", header("Proxy-Authorization", secret()), "header_not_allowed"),
        ("a credential in Range", header("Range", secret()), "header_not_allowed"),
        ("a credential in no header", header("", secret()), "header_not_allowed"),
        ("a header name with a line break", header("x\r\ny", secret()), "header_not_allowed"),
        ("a header name that is too long", header(&"x".repeat(65), secret()), "header_not_allowed"),
        ("no header at all", Credential::Headers(Vec::new()), "credential_not_allowed"),
        ("too many headers", Credential::Headers((0..9).map(|n| Header { name: format!("x-{n}"), pieces: secret() }).collect()), "credential_not_allowed"),
        (
            "one header twice",
            Credential::Headers(["x-key", "X-Key"].map(|name| Header { name: name.to_owned(), pieces: secret() }).to_vec()),
            "credential_not_allowed",
        ),
        (
            "a credential in Range beside a good one",
            Credential::Headers(["x-key", "range"].map(|name| Header { name: name.to_owned(), pieces: secret() }).to_vec()),
            "header_not_allowed",
        ),
        ("a digest of nothing", header("x-api-key", vec![Piece::Sha256(0)]), "credential_not_allowed"),
        ("a recipe without steps", header("x-api-key", Vec::new()), "credential_not_allowed"),
        ("a recipe of too many steps", header("x-api-key", vec![text("a"); 33]), "credential_not_allowed"),
        ("a step that names itself", header("x-api-key", vec![Piece::Base64Encode(0)]), "credential_not_allowed"),
        ("a step that names a later one", header("x-api-key", vec![Piece::Concat(vec![1]), text("a")]), "credential_not_allowed"),
        ("an HMAC over nothing", header("x-api-key", vec![text("a"), Piece::HmacSha256 { key: 0, message: 7 }]), "credential_not_allowed"),
        ("text with a line break", header("x-api-key", vec![text("a\r\nb: c")]), "credential_not_allowed"),
        ("steps that grow without bound", header("x-api-key", grown), "credential_not_allowed"),
        ("an unknown secret in a step", header("x-api-key", vec![Piece::Secret("nope".to_owned())]), "secret_not_set"),
        ("nothing", Credential::Anonymous, "ok"),
        ("a user with an umlaut", Credential::Basic { username: "üser".to_owned(), password: "password".to_owned() }, "ok"),
        ("a bearer token", Credential::Bearer { token: "token".to_owned() }, "ok"),
        ("an API key", header("X-Api-Key", secret()), "ok"),
        (
            "a signature",
            header(
                "Authorization",
                vec![
                    text("SharedKey acct:"),
                    Piece::Secret("token".to_owned()),
                    Piece::Base64Decode(1),
                    Piece::Request(crate::model::RequestPart::Path),
                    Piece::HmacSha256 { key: 2, message: 3 },
                    Piece::Base64Encode(4),
                    Piece::Concat(vec![0, 5]),
                ],
            ),
            "ok",
        ),
    ] {
        assert_eq!(web(credential), expected, "{what}");
    }
}

#[test]
fn b3_a_token_endpoint_lies_inside_the_egress() {
    let grant = grant(&["https://{settings.hostname}/api", "https://login.vendor.example"], json!({"hostname": "a.example"}));
    let ask = |token_url: &str, client_id: &str| {
        let oauth2 =
            OAuth2 { token_url: token_url.to_owned(), client_id: client_id.to_owned(), client_secret: "token".to_owned(), scope: None, audience: None };
        grant.permit_http(Action::Read, &object("https://a.example/api/x"), &Credential::OAuth2ClientCredentials(oauth2))
    };
    for url in ["https://evil.example/token", "http://login.vendor.example/token", "https://a.example/token", "https://u@login.vendor.example/token"] {
        assert_eq!(code(ask(url, "id")), "scope_violation", "{url}");
    }
    assert_eq!(code(ask("https://login.vendor.example/token", "i\nd")), "credential_not_allowed");
    let permit = ask("https://login.vendor.example/token", "id").expect("inside");
    assert_eq!(permit.token_url().map(Url::as_str), Some("https://login.vendor.example/token"));
}

#[test]
fn s19_p10_keys_and_listings_stay_in_their_bucket_and_prefix() {
    let grant = grant(&["s3://{settings.bucket_name}/{settings.prefix}"], json!({"bucket_name": "bkt", "prefix": "train/"}));
    let credential = Credential::AwsGatewayRole;
    for (name, key, expected) in [
        ("bkt", "train", "scope_violation"),
        ("bkt", "training/x", "scope_violation"),
        ("bkt", "TRAIN/x", "scope_violation"),
        ("bkt", "/train/x", "scope_violation"),
        ("other-bucket", "train/x", "scope_violation"),
        ("bkt", "train//x", "ok"),
        ("bkt", "train/x", "ok"),
        ("bkt", "train/", "ok"),
    ] {
        assert_eq!(code(grant.permit_s3(Action::Read, &s3(name, key), &credential)), expected, "{name}/{key}");
    }
    for (name, prefix, expected) in [
        ("bkt", "", "scope_violation"),
        ("bkt", "train", "scope_violation"),
        ("other-bucket", "train/", "scope_violation"),
        ("BKT", "train/", "invalid_field"),
        ("bkt", "train/../x", "invalid_field"),
        ("bkt", "train/", "ok"),
        ("bkt", "train/a", "ok"),
    ] {
        assert_eq!(code(grant.permit_bucket(name, prefix, &credential)), expected, "{name}/{prefix}");
    }
    assert_eq!(code(grant.permit_bucket_region("bkt", &credential)), "ok");
    assert_eq!(code(grant.permit_bucket_region("other-bucket", &credential)), "scope_violation");
    assert_eq!(code(grant.permit_http(Action::Read, &object("https://bkt.s3.amazonaws.com/train/x"), &Credential::Anonymous)), "scope_violation");
}

#[test]
fn the_default_connection_may_name_any_bucket_and_bedrock_none() {
    let any = grant(&["s3://{settings.bucket_name|*}"], json!({}));
    assert_eq!(code(any.permit_s3(Action::Read, &s3("anything", "k"), &Credential::AwsGatewayRole)), "ok");
    let none = grant(&["s3://{settings.bucket_name}"], json!({"scope": "bedrock"}));
    let error = none.permit_s3(Action::Read, &s3("anything", "k"), &Credential::AwsGatewayRole).err().expect("denied");
    assert!(error.message().ends_with("may reach: nothing"), "{}", error.message());
    assert_eq!(code(none.permit_session(&Credential::AwsAssumeRole(role("arn:aws:iam::123456789012:role/Gw")))), "ok");
}

#[test]
fn s21_v03_v05_an_aws_credential_fits_the_bucket() {
    let grant = grant(&["s3://*"], json!({}));
    let located = |region: &str| S3Object { region: Some(Region::new(region).expect("a region")), ..s3("bkt", "k") };
    let gw = || role("arn:aws:iam::123456789012:role/Gw");
    let cn = || role("arn:aws-cn:iam::123456789012:role/Gw");
    for (what, object, credential, expected) in [
        ("nothing", s3("bkt", "k"), Credential::Anonymous, "credential_not_allowed"),
        ("a bearer token", s3("bkt", "k"), Credential::Bearer { token: "token".to_owned() }, "credential_not_allowed"),
        ("the placeholder role", s3("bkt", "k"), Credential::AwsAssumeRole(role("arn:aws:iam::000000000000:role/temporary")), "role_not_set"),
        ("a session that is too short", s3("bkt", "k"), Credential::AwsAssumeRole(AssumeRole { duration_seconds: 59, ..gw() }), "credential_not_allowed"),
        ("a session that is too long", s3("bkt", "k"), Credential::AwsAssumeRole(AssumeRole { duration_seconds: 3601, ..gw() }), "credential_not_allowed"),
        ("a role of another partition than the bucket", located("cn-north-1"), Credential::AwsAssumeRole(gw()), "partition_mismatch"),
        (
            "a region of another partition than the role",
            s3("bkt", "k"),
            Credential::AwsAssumeRole(AssumeRole { region: Region::new("us-east-1").ok(), ..cn() }),
            "partition_mismatch",
        ),
        ("a bad version", S3Object { version_id: Some("a\r\nb".to_owned()), ..s3("bkt", "k") }, Credential::AwsGatewayRole, "scope_violation"),
        ("a role", located("eu-west-1"), Credential::AwsAssumeRole(gw()), "ok"),
        ("a Chinese role", located("cn-north-1"), Credential::AwsAssumeRole(cn()), "ok"),
        ("the gateway's role", located("eu-west-1"), Credential::AwsGatewayRole, "ok"),
    ] {
        assert_eq!(code(grant.permit_s3(Action::Read, &object, &credential)), expected, "{what}");
    }
    assert_eq!(code(grant.permit_session(&Credential::Anonymous)), "credential_not_allowed");
    assert_eq!(code(grant.permit_session(&Credential::AwsAssumeRole(role("arn:aws:iam::000000000000:role/temporary")))), "role_not_set");
}

#[test]
fn p10_a_location_names_a_credential_of_its_plan() {
    let location = Location { target: Target::Http(object("https://assets.cust.example/x")), credential: 1 };
    assert_eq!(code(assets().permit(Action::Read, &location, &[Credential::Anonymous])), "unknown_credential");
    assert_eq!(code(assets().permit(Action::Read, &location, &[Credential::AwsGatewayRole, Credential::Anonymous])), "ok");
}

proptest! {
    /// Whatever a plugin writes: what is permitted goes to the host of the rule, with the path that was written.
    #[test]
    fn m10_a_permitted_url_has_the_rules_host_and_the_written_path(
        scheme in "(https?://|https:/|//|)", user in "([a-z]{1,3}(:[a-z]?)?@)?", host in "(assets\\.cust\\.example|ASSETS.cust.example|[a-z0-9.%\\[\\]:\\\\@#?/-]{0,12}\\.?(assets\\.cust\\.example)?)",
        port in "(:[0-9]{0,5})?", tail in "[/?#\\\\@:.%a-z0-9 ]{0,16}",
    ) {
        let text = format!("{scheme}{user}{host}{port}{tail}");
        if let Ok(permit) = ask(&assets(), &text) {
            let (host, port, path) = sent(&permit);
            prop_assert_eq!((host.as_str(), port), ("assets.cust.example", 443));
            prop_assert!(text.ends_with(path.trim_start_matches('/')), "{} was sent as {}", text, path);
            prop_assert!(!text.contains(['@', '#', '\\', ' ']) || text.find(['/', '?']).is_some());
        }
    }

    #[test]
    fn m10_arbitrary_text_is_judged_without_a_panic(text in "\\PC{0,64}") {
        if let Ok(permit) = ask(&assets(), &format!("https://{text}")) {
            prop_assert_eq!(sent(&permit).0, "assets.cust.example");
        }
    }
}
