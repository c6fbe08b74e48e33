//! The addresses that are listened on: whether they can be taken, and who can listen in.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Finding;
use crate::config::Config;
use crate::model::Error;

const SERVER: &str = "listen";
const METRICS: &str = "metrics";

/// `running`: a gateway runs on the same data folder, so that it holds the addresses, too.
pub async fn addresses(config: &Config, running: bool) -> Vec<Finding> {
    let server = &config.settings.server;
    let mut findings = vec![match bindable("server.listen", server.listen, running).await {
        Err(error) => Finding::failed(SERVER, &error),
        Ok(seen) if !server.listen.ip().is_loopback() && server.tls.files().is_none() => Finding::warning(
            SERVER,
            "listen_in_the_clear",
            format!("{seen}, in plain http, to others than this machine (server.insecure_listen)"),
            "See that nobody but a proxy that speaks TLS reaches it: tokens and assets travel in the clear.",
        ),
        Ok(seen) => Finding::ok(SERVER, seen),
    }];
    if let Some(address) = config.settings.metrics.listen {
        findings.push(Finding::of(METRICS, bindable("metrics.listen", address, running).await));
    }
    findings
}

async fn bindable(key: &str, address: SocketAddr, running: bool) -> Result<String, Error> {
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && running => Ok(format!("{address} is in use, as it is while a gateway runs")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(Error::unavailable("listen_in_use", format!("{key} = {address}: another program listens there"))
                .with_remedy("Stop it, or choose another address."))
        }
        Err(error) => Err(Error::unavailable("listen_failed", format!("{key} = {address} cannot be listened on: {error}"))
            .with_remedy("Choose an address of this machine, and a port that the gateway's user may use.")),
    }
}
