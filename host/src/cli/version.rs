//! `portcullis version`: of this program, and of the gateway if it answers.

use serde_json::{Value, json};

use super::client::Client;
use super::failure::Done;
use super::output::{Column, Output};

const PROPERTIES: &[Column] = &[("portcullis", "/client"), ("gateway", "/gateway"), ("at", "/url")];

pub(super) async fn run(client: &Client, output: Output) -> Done {
    let gateway = match client.get(&["version"], &[]).await {
        Ok(answer) => answer.get("version").cloned().unwrap_or(Value::Null),
        Err(_) => Value::from("does not answer"),
    };
    output.record(PROPERTIES, &json!({"client": env!("CARGO_PKG_VERSION"), "gateway": gateway, "url": client.base()}))
}
