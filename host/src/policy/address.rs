//! Which addresses may be dialled: global unicast, and what an operator named.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::Result;

/// `allow_networks`: private networks an operator opened. `allow_http`: plain http may be used, to those networks only.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    pub allow_networks: Vec<IpNet>,
    pub allow_http: bool,
}

impl AddressPolicy {
    /// `Denied` (`address_not_allowed`) with the reason, unless the address is global unicast or in `allow_networks`.
    pub fn judge(&self, _address: IpAddr) -> Result<()> {
        todo!()
    }
}
