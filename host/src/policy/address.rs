//! Which addresses may be dialled: global unicast, and the private networks an operator named.
//!
//! The tables are the IANA special-purpose address registries (RFC 6890) whole, entries they call globally reachable
//! included: those are anycast services of the local network, and no storage lives there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::{Error, Result};

/// `allow_networks`: private networks an operator opened. `allow_http`: plain http may be used, to those networks only.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    pub allow_networks: Vec<IpNet>,
    pub allow_http: bool,
}

impl AddressPolicy {
    /// `Denied` (`address_not_allowed`) with the reason, unless the address is global unicast or in `allow_networks`.
    ///
    /// Link-local and cloud platform addresses stay closed whatever `allow_networks` says: what answers there hands out the
    /// machine's own credentials. An IPv4 address inside an IPv6 one is judged as that IPv4 address.
    pub fn judge(&self, address: IpAddr) -> Result<()> {
        self.verdict(address).map_err(|reason| {
            Error::denied("address_not_allowed", format!("the address {address} may not be dialled: {reason}"))
                .with_remedy("Use a public address, or ask the operator to open the network in egress.allow_networks")
        })
    }

    /// As `judge`, and for plain http: only when the operator allows it at all, and only into `allow_networks`.
    pub fn judge_plain_http(&self, address: IpAddr) -> Result<()> {
        self.judge(address)?;
        if self.allow_http && self.opens(address) {
            Ok(())
        } else {
            Err(Error::denied(
                "address_not_allowed",
                format!("the address {address} may not be dialled over plain http: only networks in egress.allow_networks may"),
            ))
        }
    }

    /// Whether an operator opened the network of this address (and it is not one that stays closed).
    pub(super) fn opens(&self, address: IpAddr) -> bool {
        self.verdict(address).is_ok() && self.is_opened(dialled_as(address))
    }

    fn is_opened(&self, address: IpAddr) -> bool {
        self.allow_networks.iter().any(|network| network.contains(&address))
    }

    /// The reason why not.
    fn verdict(&self, address: IpAddr) -> Result<(), String> {
        let v6 = match address {
            IpAddr::V4(v4) => return self.verdict_v4(v4),
            IpAddr::V6(v6) => v6,
        };
        if let Some(name) = named(IPV6_NEVER, |network| network.contains(&v6)) {
            return Err(name.to_owned());
        }
        let Some(Embedded { form, leaves_as_v4, v4, also }) = embedded(v6) else { return self.verdict_v6(v6) };
        if leaves_as_v4 {
            return self.verdict_v4(v4);
        }
        // The form itself is retired or local: it has to be opened, and what it carries must not be closed for good.
        for inner in [Some(v4), also].into_iter().flatten() {
            if let Some(name) = never_v4(inner) {
                return Err(format!("{form} of {inner}, {name}"));
            }
        }
        if self.is_opened(address) { Ok(()) } else { Err(format!("{form} of {v4}")) }
    }

    fn verdict_v4(&self, address: Ipv4Addr) -> Result<(), String> {
        if let Some(name) = never_v4(address) {
            return Err(name.to_owned());
        }
        if self.is_opened(address.into()) {
            return Ok(());
        }
        named(IPV4_SPECIAL, |network| network.contains(&address)).map_or(Ok(()), |name| Err(name.to_owned()))
    }

    fn verdict_v6(&self, address: Ipv6Addr) -> Result<(), String> {
        if self.is_opened(address.into()) {
            return Ok(());
        }
        match named(IPV6_SPECIAL, |network| network.contains(&address)) {
            Some(name) => Err(name.to_owned()),
            None if GLOBAL_UNICAST.contains(&address) => Ok(()),
            None => Err("not global unicast (2000::/3)".to_owned()),
        }
    }
}

/// The address that the packet has on the wire.
fn dialled_as(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => embedded(v6).filter(|inner| inner.leaves_as_v4).map_or(address, |inner| inner.v4.into()),
        IpAddr::V4(_) => address,
    }
}

fn never_v4(address: Ipv4Addr) -> Option<&'static str> {
    named(IPV4_NEVER, |network| network.contains(&address))
}

/// The most specific entry comes first in each table.
fn named<N>(table: &[(N, &'static str)], contains: impl Fn(&N) -> bool) -> Option<&'static str> {
    table.iter().find(|(network, _)| contains(network)).map(|(_, name)| *name)
}

/// An IPv4 address carried by an IPv6 one. `leaves_as_v4`: the host, or its network's NAT64, sends a plain IPv4 packet.
/// `also`: a second one (Teredo's server).
struct Embedded {
    form: &'static str,
    leaves_as_v4: bool,
    v4: Ipv4Addr,
    also: Option<Ipv4Addr>,
}

fn embedded(address: Ipv6Addr) -> Option<Embedded> {
    let segments @ [_, b, c, d, _, _, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let (form, leaves_as_v4, v4, also) = match segments {
        [0, 0, 0, 0, 0, 0xffff, ..] => ("IPv4-mapped", true, join(g, h), None),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => ("NAT64", true, join(g, h), None),
        [0x64, 0xff9b, 1, ..] => ("local-use NAT64 (RFC 8215)", false, join(g, h), None),
        [0, 0, 0, 0, 0xffff, 0, ..] => ("IPv4-translated (RFC 2765)", false, join(g, h), None),
        // `::` and `::1` have entries of their own.
        [0, 0, 0, 0, 0, 0, ..] if g != 0 || h > 1 => ("IPv4-compatible (RFC 4291, deprecated)", false, join(g, h), None),
        [0x2002, ..] => ("6to4 (RFC 3056)", false, join(b, c), None),
        [0x2001, 0, ..] => ("Teredo (RFC 4380)", false, join(!g, !h), Some(join(c, d))),
        [_, _, _, _, 0 | 0x0200, 0x5efe, ..] => ("ISATAP (RFC 5214)", false, join(g, h), None),
        _ => return None,
    };
    Some(Embedded { form, leaves_as_v4, v4, also })
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// What nobody can open. Source: the clouds' own documentation of their metadata and platform services.
const IPV4_NEVER: &[(Ipv4Net, &str)] = &[
    (v4(169, 254, 169, 254, 32), "cloud metadata service"),
    (v4(169, 254, 170, 0, 24), "AWS container credentials"),
    (v4(169, 254, 0, 0, 16), "Link Local (cloud platform services)"),
    (v4(100, 100, 100, 200, 32), "Alibaba Cloud metadata service"),
    (v4(168, 63, 129, 16, 32), "Azure platform service"),
    (v4(192, 0, 0, 192, 32), "Oracle Cloud metadata service"),
];

const IPV6_NEVER: &[(Ipv6Net, &str)] = &[
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), "AWS platform services (metadata, credentials)"),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), "Google Cloud metadata service"),
    (v6([0xfd00, 0xc1, 0, 0, 0, 0, 0, 0], 32), "Oracle Cloud metadata service"),
    (v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128), "Scaleway metadata service"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "Link-Local Unicast"),
];

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, and multicast.
const IPV4_SPECIAL: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 32), "This host on this network"),
    (v4(0, 0, 0, 0, 8), "This network"),
    (v4(10, 0, 0, 0, 8), "Private-Use"),
    (v4(100, 64, 0, 0, 10), "Shared Address Space"),
    (v4(127, 0, 0, 0, 8), "Loopback"),
    (v4(169, 254, 0, 0, 16), "Link Local"),
    (v4(172, 16, 0, 0, 12), "Private-Use"),
    (v4(192, 0, 0, 0, 29), "IPv4 Service Continuity Prefix"),
    (v4(192, 0, 0, 8, 32), "IPv4 dummy address"),
    (v4(192, 0, 0, 9, 32), "Port Control Protocol Anycast"),
    (v4(192, 0, 0, 10, 32), "Traversal Using Relays around NAT Anycast"),
    (v4(192, 0, 0, 170, 31), "NAT64/DNS64 Discovery"),
    (v4(192, 0, 0, 0, 24), "IETF Protocol Assignments"),
    (v4(192, 0, 2, 0, 24), "Documentation (TEST-NET-1)"),
    (v4(192, 31, 196, 0, 24), "AS112-v4"),
    (v4(192, 52, 193, 0, 24), "AMT"),
    (v4(192, 88, 99, 2, 32), "6a44-relay anycast address"),
    (v4(192, 88, 99, 0, 24), "Deprecated (6to4 Relay Anycast)"),
    (v4(192, 168, 0, 0, 16), "Private-Use"),
    (v4(192, 175, 48, 0, 24), "Direct Delegation AS112 Service"),
    (v4(198, 18, 0, 0, 15), "Benchmarking"),
    (v4(198, 51, 100, 0, 24), "Documentation (TEST-NET-2)"),
    (v4(203, 0, 113, 0, 24), "Documentation (TEST-NET-3)"),
    (v4(224, 0, 0, 0, 4), "Multicast"),
    (v4(255, 255, 255, 255, 32), "Limited Broadcast"),
    (v4(240, 0, 0, 0, 4), "Reserved"),
];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>, and multicast. What carries an IPv4 address is in `embedded`.
const IPV6_SPECIAL: &[(Ipv6Net, &str)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "Loopback Address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "Unspecified Address"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "Discard-Only Address Block"),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "Dummy IPv6 Prefix"),
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128), "Port Control Protocol Anycast"),
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128), "Traversal Using Relays around NAT Anycast"),
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128), "DNS-SD Service Registration Protocol Anycast"),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "Benchmarking"),
    (v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32), "AMT"),
    (v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48), "AS112-v6"),
    (v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), "Deprecated (previously ORCHID)"),
    (v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), "ORCHIDv2"),
    (v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28), "Drone Remote ID Protocol Entity Tags"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "IETF Protocol Assignments"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "Documentation"),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), "Direct Delegation AS112 Service"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "Documentation"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "Segment Routing (SRv6) SIDs"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "Unique-Local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "Site-Local (deprecated)"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "Multicast"),
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

#[cfg(test)]
mod tests;
