//! The E rows as far as a plugin answers them: each shape is refused before anything parses it as a URL.

use super::*;

fn locate(prefix: &str, port: Option<u16>, source: &str) -> Result<String, String> {
    let hostname = Hostname::try_from("assets.cust.example".to_owned()).expect("a host name");
    let prefix = (!prefix.is_empty()).then(|| PathPrefix::try_from(prefix.to_owned()).expect("a prefix"));
    Origin::new(&hostname, port, prefix.as_ref()).locate(source).map(|object| object.url).map_err(|error| error.code)
}

#[test]
fn e01_e12_what_is_not_on_the_host_is_refused() {
    for (id, source, code) in [
        ("E01", "http://assets.cust.example/x", "unsupported_uri_scheme"),
        ("E01", "ftp://assets.cust.example/x", "unsupported_uri_scheme"),
        ("E01", "file:///etc/passwd", "unsupported_uri_scheme"),
        ("E01", "gopher://assets.cust.example/", "unsupported_uri_scheme"),
        ("E01", "data:,x", "unsupported_uri_scheme"),
        ("E01", "https:evil.example", "broken_url"),
        ("E01", "https:/assets.cust.example/x", "broken_url"),
        ("E02", "https://169.254.169.254/", "scope_violation"),
        ("E02", "https://[fd00:ec2::254]/", "scope_violation"),
        ("E03", "https://2852039166/", "scope_violation"),
        ("E03", "https://0x7f.1/", "scope_violation"),
        ("E04", "https://[::ffff:169.254.169.254]:443/", "scope_violation"),
        ("E06", "https://①⑥⑨。②⑤④。①⑥⑨。②⑤④/", "scope_violation"),
        ("E07", "https://assets.cust.example@evil.example/", "broken_url"),
        ("E07", "https://u:p@assets.cust.example/", "broken_url"),
        ("E08", "https://evil.example\\@assets.cust.example/", "broken_url"),
        ("E08", "https://assets.cust.example/a\tb", "broken_url"),
        ("E08", "https://assets.cust.example/a\rb", "broken_url"),
        ("E08", "https://assets.cust.example/a\nb", "broken_url"),
        ("E08", "https://assets.cust.example/a\0b", "broken_url"),
        ("E08", "https://assets.cust.example/a b", "broken_url"),
        ("E08", " https://assets.cust.example/", "broken_url"),
        ("E09", "https://evil.example#@assets.cust.example/", "broken_url"),
        ("E09", "https://assets.cust.example/#x", "broken_url"),
        ("E09", "https://evil.example?@assets.cust.example/", "scope_violation"),
        ("E09", "//evil.example/x", "scope_violation"),
        ("E10", "https://assets.cust.example.evil.example/", "scope_violation"),
        ("E10", "https://evilassets.cust.example/", "scope_violation"),
        ("E10", "https://assets.cust.example%2eevil.example/", "scope_violation"),
        ("E10", "https://аssets.cust.example/", "scope_violation"),
        ("E12", "https://assets.cust.example:22/", "scope_violation"),
        ("E12", "https://assets.cust.example:6379/", "scope_violation"),
        ("E12", "https://assets.cust.example:8443/", "scope_violation"),
        ("E12", "https://assets.cust.example:0/", "scope_violation"),
        ("E12", "https://assets.cust.example:65536/", "broken_url"),
        ("E12", "https://assets.cust.example:+443/", "broken_url"),
        ("E12", "https://assets.cust.example:/", "broken_url"),
        ("E27", "/a\r\nHost: evil", "broken_url"),
        ("an escape that is none", "/100%", "broken_url"),
        ("dot segments are rewritten by clients", "/a/../b", "unsupported_key"),
        ("also escaped ones", "/a/%2E%2e/b", "unsupported_key"),
        ("also half escaped ones", "https://assets.cust.example/.%2e/b", "unsupported_key"),
        ("also at the end", "/a/.", "unsupported_key"),
        ("nothing at all", "", "broken_url"),
        ("a query alone", "?x=1", "broken_url"),
    ] {
        assert_eq!(locate("", None, source), Err(code.to_owned()), "{id} {source:?}");
    }
}

#[test]
fn e11_e27_what_is_on_the_host_goes_out_as_written() {
    for (why, source, path) in [
        ("E11: one canonical host", "https://ASSETS.Cust.Example./x", "/x"),
        ("E11: the scheme in capitals", "HTTPS://assets.cust.example/x", "/x"),
        ("the default port, written", "https://assets.cust.example:443/x", "/x"),
        ("E27: escapes stay as they are", "/a%0d%0aHost:%20evil", "/a%0d%0aHost:%20evil"),
        ("no path is the root", "https://assets.cust.example", "/"),
        ("a query without a path", "https://assets.cust.example?x=1", "/?x=1"),
        ("a query stays as it is", "/f?u=https://x/../y&z=%20+", "/f?u=https://x/../y&z=%20+"),
        ("double slashes are part of the name", "/a//b", "/a//b"),
        ("a plus and a percent", "/a+b%25.txt", "/a+b%25.txt"),
        ("a relative path", "a/b.jpg", "/a/b.jpg"),
        ("a colon in a later segment", "a/b:c", "/a/b:c"),
        ("dots that are no dot segment", "/.../.a/a..b", "/.../.a/a..b"),
        ("what no URL holds raw is encoded", "/日本/\"x\"<|>", "/%E6%97%A5%E6%9C%AC/%22x%22%3C%7C%3E"),
    ] {
        assert_eq!(locate("", None, source), Ok(format!("https://assets.cust.example{path}")), "{why}");
    }
}

#[test]
fn s19_a_prefix_is_whole_segments() {
    for (source, expected) in [
        ("/train", Ok("/train")),
        ("/training/x", Err("scope_violation")),
        ("/TRAIN/x", Err("scope_violation")),
        ("/%74rain/x", Err("scope_violation")),
        ("https://assets.cust.example:8443/x", Err("scope_violation")),
        ("https://assets.cust.example/train/x", Err("scope_violation")),
        ("/train/..%2fx", Err("unsupported_key")),
        ("/train/%2e%2e%5Cx", Err("unsupported_key")),
        ("/train/a%2F.%2fx", Err("unsupported_key")),
        ("/train/..%2", Err("broken_url")),
        ("/train//x", Ok("/train//x")),
        ("/train/x", Ok("/train/x")),
        ("x", Ok("/train/x")),
        ("https://assets.cust.example:8443/train/x", Ok("/train/x")),
    ] {
        let expected = expected.map(|path| format!("https://assets.cust.example:8443{path}")).map_err(str::to_owned);
        assert_eq!(locate("/train/", Some(8443), source), expected, "{source}");
    }
}

#[test]
fn e03_e24_host_names_are_names() {
    for text in [
        "",
        ".",
        "a..b",
        "-a.example",
        "a-.example",
        "a b",
        "a/b",
        "https://a.example",
        "a.example:443",
        "a@b",
        "a#b",
        "evil.example?",
        "%2e",
        "..",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.254.43518",
        "127.1",
        "0",
        "0x7f.1",
        "[::1]",
        "１２７．０．０．１",
        "аssets.example",
        "a\n",
        &"a".repeat(64),
        &"a.".repeat(128),
    ] {
        assert!(Hostname::try_from(text.to_owned()).is_err(), "{text:?}");
    }
    for (text, canonical) in
        [("Assets.Example.", "assets.example"), ("localhost", "localhost"), ("10.0.0.7", "10.0.0.7"), ("xn--bcher-kva.example", "xn--bcher-kva.example")]
    {
        assert_eq!(Hostname::try_from(text.to_owned()).expect(text).as_str(), canonical);
    }
}

#[test]
fn a_prefix_is_a_plain_path() {
    for text in ["", "/", "a/../b", "a/%2e%2e", "./a", "a?b", "a#b", "a b", "a\\b", "a%", "a//b", "ä"] {
        assert!(PathPrefix::try_from(text.to_owned()).is_err(), "{text:?}");
    }
    for (text, canonical) in [("/media/", "media"), ("media/2024", "media/2024"), ("a%20b", "a%20b")] {
        assert_eq!(PathPrefix::try_from(text.to_owned()).expect(text).as_str(), canonical);
    }
}
