//! The one integration binary: what the running gateway and the doubles show from outside.

mod azure;
mod bad_input;
mod canary;
mod cli;
mod connections;
mod doubles;
mod early_answers;
mod egress;
mod end_to_end;
mod hostile;
mod house;
mod ingestion;
mod kinds;
mod languages;
mod openapi;
mod page;
mod play;
mod plugin_install;
mod plugin_new;
mod plugin_versions;
mod plugins;
mod prompts;
mod runtime;
mod strict;
mod tidy;
mod web_connectors;
