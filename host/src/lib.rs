//! Portcullis: a connector gateway. A plugin decides, the host does. See ARCHITECTURE.md for the map.
//!
//! Modules are levelled: each imports lower levels only (`tests/it/tidy` holds that).

#![deny(unsafe_code)]

pub mod app;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod config;
pub mod connections;
pub mod doctor;
pub mod fetch;
pub mod http;
pub mod ingest;
pub mod kit;
pub mod meter;
pub mod model;
pub mod plugins;
pub mod policy;
pub mod runtime;
pub mod store;
pub mod tokens;
pub mod vault;
