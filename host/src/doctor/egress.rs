//! What connections may reach beyond the public internet over TLS: whether that is more than anybody means.

use ipnet::IpNet;

use super::Finding;
use crate::app::operators_fetcher;
use crate::config::Config;

const EGRESS: &str = "egress";

/// Shorter prefixes hold more than one organization's private networks: 10.0.0.0/8 is the largest.
fn too_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        IpNet::V6(network) => network.prefix_len() < 16,
    }
}

pub fn egress(config: &Config) -> Vec<Finding> {
    let egress = &config.settings.egress;
    let mut findings = Vec::new();
    if let Err(error) = operators_fetcher(config) {
        findings.push(Finding::failed(EGRESS, &error));
    }
    for network in egress.allow_networks.iter().filter(|network| too_wide(network)) {
        let seen = format!("egress.allow_networks = {network} opens the networks of others, and this machine's own services, to every connection");
        findings.push(Finding::warning(EGRESS, "networks_too_wide", seen, "Name the private networks that hold storage, and no more."));
    }
    if egress.allow_http {
        let seen = "egress.allow_http: connections may send credentials in the clear into egress.allow_networks";
        findings.push(Finding::warning(EGRESS, "plain_http_allowed", seen, "Leave it out once the servers there speak TLS."));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(EGRESS, format!("https only; {} private networks are open", egress.allow_networks.len())));
    }
    findings
}
