//! Addresses: every entry of the registries, every embedded form, the clouds' own services.

use std::net::IpAddr;

use super::AddressPolicy;

fn strict() -> AddressPolicy {
    AddressPolicy::default()
}

fn opening(networks: &[&str]) -> AddressPolicy {
    AddressPolicy { allow_networks: networks.iter().map(|network| network.parse().expect("a network")).collect(), allow_http: false }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// `Ok`, or the reason.
fn verdict(policy: &AddressPolicy, text: &str) -> Result<(), String> {
    policy.judge(ip(text)).map_err(|error| {
        assert_eq!(error.code(), "address_not_allowed");
        error.message().to_owned()
    })
}

#[test]
fn e02_e13_addresses_that_are_not_global_unicast_are_refused_by_their_registry_entry() {
    for (address, entry) in [
        ("0.0.0.0", "This host on this network"),
        ("0.1.2.3", "This network"),
        ("10.0.0.5", "Private-Use"),
        ("100.64.0.1", "Shared Address Space"),
        ("100.127.255.255", "Shared Address Space"),
        ("127.0.0.1", "Loopback"),
        ("127.255.255.254", "Loopback"),
        ("169.254.1.1", "Link Local"),
        ("172.16.1.1", "Private-Use"),
        ("172.31.255.255", "Private-Use"),
        ("192.0.0.1", "IPv4 Service Continuity Prefix"),
        ("192.0.0.8", "IPv4 dummy address"),
        ("192.0.0.9", "Port Control Protocol Anycast"),
        ("192.0.0.10", "Traversal Using Relays"),
        ("192.0.0.171", "NAT64/DNS64 Discovery"),
        ("192.0.0.200", "IETF Protocol Assignments"),
        ("192.0.2.1", "TEST-NET-1"),
        ("192.31.196.1", "AS112-v4"),
        ("192.52.193.1", "AMT"),
        ("192.88.99.1", "6to4 Relay"),
        ("192.88.99.2", "6a44"),
        ("192.168.1.1", "Private-Use"),
        ("192.175.48.1", "AS112"),
        ("198.18.0.1", "Benchmarking"),
        ("198.19.255.255", "Benchmarking"),
        ("198.51.100.7", "TEST-NET-2"),
        ("203.0.113.9", "TEST-NET-3"),
        ("224.0.0.1", "Multicast"),
        ("239.255.255.255", "Multicast"),
        ("240.0.0.1", "Reserved"),
        ("255.255.255.255", "Limited Broadcast"),
        ("::", "Unspecified"),
        ("::1", "Loopback"),
        ("100::1", "Discard-Only"),
        ("100:0:0:1::1", "Dummy"),
        ("2001:1::1", "Port Control Protocol"),
        ("2001:1::2", "Traversal Using Relays"),
        ("2001:1::3", "DNS-SD"),
        ("2001:2::1", "Benchmarking"),
        ("2001:3::1", "AMT"),
        ("2001:4:112::1", "AS112"),
        ("2001:10::1", "ORCHID"),
        ("2001:20::1", "ORCHIDv2"),
        ("2001:30::1", "Drone"),
        ("2001:1ff::1", "IETF Protocol Assignments"),
        ("2001:db8::1", "Documentation"),
        ("2620:4f:8000::1", "AS112"),
        ("3fff:fff::1", "Documentation"),
        ("5f00::1", "SRv6"),
        ("fc00::1", "Unique-Local"),
        ("fdff::1", "Unique-Local"),
        ("fe80::1", "Link-Local"),
        ("fec0::1", "Site-Local"),
        ("ff02::1", "Multicast"),
        ("4000::1", "not global unicast"),
        ("1::1", "not global unicast"),
    ] {
        let reason = verdict(&strict(), address).expect_err(address);
        assert!(reason.contains(entry), "{address} should be refused as {entry}: {reason}");
    }
}

#[test]
fn e13_the_neighbours_of_special_networks_are_allowed() {
    for address in [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2001:200::1",
        "2606:4700:4700::1111",
        "2a00::1",
        "2620:4f:7fff::1",
        "3ffe::1",
    ] {
        verdict(&strict(), address).expect(address);
    }
}

#[test]
fn e02_cloud_platform_addresses_stay_closed_whatever_is_opened() {
    let everything = opening(&["0.0.0.0/0", "::/0"]);
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.0.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
        "fe80::a9fe:a9fe",
        "fe80::5efe:a00:1",
    ] {
        verdict(&strict(), address).expect_err(address);
        verdict(&everything, address).expect_err(address);
    }
}

#[test]
fn e04_an_ipv4_address_inside_an_ipv6_one_counts_as_that_ipv4_address() {
    let everything = opening(&["0.0.0.0/0", "::/0"]);
    for address in [
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:5601:5601",
        "::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2a00::5efe:a9fe:a9fe",
        "2a00::200:5efe:a9fe:a9fe",
    ] {
        verdict(&strict(), address).expect_err(address);
        verdict(&everything, address).expect_err(address);
    }
    // The case of the catalogue: a Teredo client at 192.0.2.45.
    assert!(verdict(&strict(), "2001:0:4136:e378:8000:63bf:3fff:fdd2").expect_err("Teredo").contains("192.0.2.45"));
    for address in ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "::ffff:0.0.0.0", "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:808:808::1"] {
        verdict(&strict(), address).expect_err(address);
    }
    for address in ["::ffff:1.1.1.1", "64:ff9b::1.1.1.1"] {
        verdict(&strict(), address).expect(address);
    }
    let loopback = opening(&["127.0.0.0/8"]);
    verdict(&loopback, "::ffff:127.0.0.1").expect("the mapped form of an opened address");
    verdict(&loopback, "2002:7f00:1::").expect_err("6to4 is not opened by opening what it carries");
}

#[test]
fn e13_an_operator_opens_networks_one_by_one() {
    let policy = opening(&["10.1.0.0/16", "fd12:3456::/32"]);
    for address in ["10.1.0.1", "10.1.255.255", "fd12:3456::1", "1.1.1.1"] {
        verdict(&policy, address).expect(address);
    }
    for address in ["10.2.0.1", "10.0.255.255", "127.0.0.1", "fd12:3457::1", "192.168.1.1"] {
        verdict(&policy, address).expect_err(address);
    }
}

#[test]
fn e01_plain_http_goes_to_opened_networks_only_and_only_when_allowed() {
    let closed = opening(&["127.0.0.0/8"]);
    closed.judge_plain_http(ip("127.0.0.1")).expect_err("allow_http is off");
    let open = AddressPolicy { allow_http: true, ..opening(&["127.0.0.0/8"]) };
    open.judge_plain_http(ip("1.1.1.1")).expect_err("a public address");
    open.judge_plain_http(ip("10.0.0.1")).expect_err("another private network");
    open.judge_plain_http(ip("127.0.0.1")).expect("an opened network");
    open.judge_plain_http(ip("::ffff:127.0.0.1")).expect("its mapped form");
}

proptest::proptest! {
    /// The table and the standard library agree where the standard library has an opinion.
    #[test]
    fn e13_whatever_std_calls_private_is_refused(bits: u32) {
        let address = std::net::Ipv4Addr::from(bits);
        if address.is_private() || address.is_loopback() || address.is_link_local() || address.is_broadcast() || address.is_documentation() || address.is_multicast() || address.is_unspecified() {
            proptest::prop_assert!(strict().judge(address.into()).is_err());
        }
        proptest::prop_assert_eq!(strict().judge(address.into()).is_ok(), strict().judge(address.to_ipv6_mapped().into()).is_ok());
    }
}
