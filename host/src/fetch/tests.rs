//! Against real sockets on loopback: framing faults, reuse, TLS, slow and hostile upstreams.

mod faults;
mod reuse;
mod rig;
mod secure;
mod targets;
