//! The one canonical form of a host: what is compared, resolved, sent as SNI and as `Host`.

use url::Host;

use super::AddressPolicy;

/// A host from a setting or a template: one DNS name, IDNA applied, lower-case, without a trailing dot. An IP literal only
/// where the operator opened its network. The reason why not otherwise.
pub(super) fn from_setting(text: &str, addresses: &AddressPolicy) -> Result<String, String> {
    let bracketed = text.starts_with('[') && text.ends_with(']');
    if text.is_empty()
        || text.len() > 1024
        || text.chars().any(|char| char.is_control() || char.is_whitespace() || "/\\?#@%".contains(char) || (char == ':' && !bracketed))
    {
        return Err("a hostname alone is needed, without scheme, user, port or path".to_owned());
    }
    match Host::parse(text).map_err(|error| format!("this is not a hostname: {error}"))? {
        Host::Domain(name) => dns_name(&name),
        Host::Ipv4(address) => literal(addresses, address.into(), address.to_string()),
        Host::Ipv6(address) => literal(addresses, address.into(), format!("[{address}]")),
    }
}

fn literal(addresses: &AddressPolicy, address: std::net::IpAddr, text: String) -> Result<String, String> {
    if addresses.opens(address) {
        Ok(text)
    } else {
        Err(format!("{text} is an IP address: a hostname is needed, except inside networks in egress.allow_networks"))
    }
}

/// Letters, digits and hyphens (RFC 1123), at most 253 bytes.
fn dns_name(name: &str) -> Result<String, String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() <= 253 && name.split('.').all(is_label) {
        Ok(name.to_owned())
    } else {
        Err("a hostname is labels of 1 to 63 letters, digits and '-', joined by dots".to_owned())
    }
}

pub(super) fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A parsed host in the form that `from_setting` gives.
pub(super) fn canonical(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    }
}
