//! What a configuration may say, negative cases first.

use super::*;

fn load(toml: &str) -> Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis.toml");
    std::fs::write(&path, toml).unwrap();
    let given: Given = File::with_format(&path, FileFormat::Toml).required().load().map_err(invalid)?;
    Config::checked(given)
}

#[test]
fn what_is_wrong_in_a_file_is_named() {
    for (what, toml, named) in [
        ("an unknown section", "[servers]\nlisten = '127.0.0.1:1'", "servers"),
        ("an unknown key", "[server]\nlistne = '127.0.0.1:1'", "listne"),
        ("an unknown top-level key", "datadir = 'x'", "datadir"),
        ("not an address", "[server]\nlisten = 'localhost'", "listen"),
        ("m21: plain http for others", "[server]\nlisten = '0.0.0.0:8080'", "server.insecure_listen"),
        ("not a role", "[platform]\nrole_arn = 'arn:aws:iam::1:role/x'", "role_arn"),
        ("not a region", "[aws]\nregion = 'moon-1'", "region"),
        ("not an account", "[platform]\naccount_id = '123'", "account_id"),
        ("two accounts", "[platform]\naccount_id = '111111111111'\nrole_arn = 'arn:aws:iam::222222222222:role/Gw'", "account_id"),
        ("a password in the endpoint", "[aws]\nendpoint_url = 'https://a:b@minio.internal'", "endpoint_url"),
        ("a query in the public URL", "[server]\npublic_url = 'https://gw.example/?a:b@'", "public_url"),
        ("a public URL without a scheme", "[server]\npublic_url = 'gw.example'", "public_url"),
        ("no network", "[egress]\nallow_networks = ['10.0.0.0/33']", "allow_networks"),
        ("half of TLS", "[server.tls]\ncert = '/c.pem'", "server.tls.key"),
        ("no collector", "[trace]\notlp_endpoint = 'file:///x'", "otlp_endpoint"),
        ("plain http anywhere", "[egress]\nallow_http = true", "allow_networks"),
        ("the key beside its lock", "data_dir = '/d'\n[vault]\nkey_file = '/d/master.key'", "key_file"),
        ("not TOML", "[server", "TOML"),
    ] {
        let Err(error) = load(toml) else { panic!("{what} is accepted") };
        let told = format!("{error} {}", error.remedy().unwrap_or_default());
        assert!(told.contains(named), "{what}: {told}");
        assert!(!told.contains("a:b@"), "{what}: {told}");
    }
}

#[test]
fn an_empty_file_is_a_whole_configuration() {
    let config = load("").unwrap();
    assert_eq!(config.settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.key_file(), Path::new("portcullis-data.key"));
    assert_eq!(config.sink_path(), Path::new("portcullis-data-assets"));
    assert!(config.settings.platform.external_id_required);
}

#[test]
fn m21_another_address_than_loopback_is_served_when_it_is_meant() {
    assert!(load("[server]\nlisten = '0.0.0.0:8080'\ninsecure_listen = true").is_ok());
    assert!(load("[server]\nlisten = '0.0.0.0:8080'\ntls.cert = '/c.pem'\ntls.key = '/k.pem'").is_ok());
}

#[test]
fn a_misspelt_variable_is_named() {
    let names = |name: &str| refuse_unknown_variables([name.to_owned(), "PATH".to_owned(), "PORTCULLIS_URL".to_owned()].into_iter());
    let error = names("PORTCULLIS__SERVER__LISTNE").expect_err("refused");
    assert!(error.message().contains("LISTNE") && error.remedy().is_some_and(|remedy| remedy.contains("PORTCULLIS__SERVER__LISTEN?")), "{error:?}");
    for name in ["PORTCULLIS__SERVER__LISTEN", "PORTCULLIS__DATA_DIR", "PORTCULLIS__EGRESS__ALLOW_NETWORKS"] {
        assert!(names(name).is_ok(), "{name}");
    }
}

#[test]
fn a_misspelt_key_has_its_neighbour_named() {
    for (toml, near) in [("[server]\nlistne = '127.0.0.1:1'", "'listen'"), ("[servr]\nlisten = '127.0.0.1:1'", "'server'"), ("[log]\nlevels = 'x'", "'level'")]
    {
        let Err(error) = load(toml) else { panic!("{toml} is accepted") };
        assert_eq!(error.cause(), "unknown_key");
        assert!(error.remedy().is_some_and(|remedy| remedy.contains(near)), "{error:?} {:?}", error.remedy());
    }
}

#[test]
fn what_is_ignored_is_told_and_what_is_ours_is_not() {
    let told = |name: &str| ignored(std::iter::once(name.to_owned()));
    for name in ["http_proxy", "HTTPS_PROXY", "AWS_CA_BUNDLE", "RUST_LOG", "PORTCULLIS_SERVER__LISTEN", "PORTCULLIS_DATA_DIR"] {
        assert_eq!(told(name).len(), 1, "{name}");
    }
    for name in ["PORTCULLIS_URL", "PORTCULLIS_TOKEN", "PORTCULLIS_BOOTSTRAP_TOKEN", "PORTCULLIS__DATA_DIR", "PORTCULLIS_HOME", "NO_PROXY", "PATH"] {
        assert!(told(name).is_empty(), "{name}");
    }
}

#[test]
fn t16_what_would_redirect_the_gateways_own_identity_is_refused() {
    let names = |name: &str| refuse_redirecting_variables([name.to_owned(), "PATH".to_owned()].into_iter());
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"] {
        let error = names(name).expect_err(name);
        assert!(error.message().contains(name) && error.remedy().is_some(), "{error:?}");
    }
    for name in ["AWS_PROFILE", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE"] {
        assert!(names(name).is_ok(), "{name} does not say where AWS is");
    }
}

#[test]
fn what_is_printed_can_be_read_back_and_hides_the_token() {
    let mut config = load("data_dir = '/d'\n[egress]\nallow_networks = ['10.0.0.0/8']\n[platform]\nrole_arn = 'arn:aws:iam::222222222222:role/Gw'\n[server.tls]\ncert = '/c.pem'\nkey = '/k.pem'").unwrap();
    config.bootstrap_token = Some(Zeroizing::new("canary".to_owned()));
    let text = config.describe();
    assert!(!text.contains("canary") && text.contains("set (hidden)"), "{text}");
    let again = load(&text).unwrap();
    assert_eq!(again.settings.server.tls.files(), Some((Path::new("/c.pem"), Path::new("/k.pem"))));
    assert_eq!(again.settings.egress.allow_networks, config.settings.egress.allow_networks);
    assert_eq!(again.settings.platform.role_arn, config.settings.platform.role_arn);
}
