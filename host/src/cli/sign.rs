//! `portcullis sign`: a URL that opens one object for whoever has it, for a while.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::client::Client;
use super::connection::part;
use super::failure::{Done, Failure};
use super::output::{Format, Output, printable};

#[derive(Args)]
pub(super) struct Sign {
    /// A connection's name or id.
    connection: String,
    /// As s3://bucket/key or https://host/path.
    source_path: String,
    /// How long the URL works: 1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    expires_in: u64,
    /// The one method that the URL is for.
    #[arg(long, value_enum, ignore_case = true, default_value_t = Method::Get)]
    method: Method,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Method {
    Get,
    Head,
}

impl Sign {
    /// The URL alone, so that a script can use it.
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let method = match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
        };
        let body = json!({"source_path": self.source_path, "method": method, "expires_in": self.expires_in});
        let signed = client.post(&part(&self.connection, "sign"), &[], &body).await?;
        if output.format == Format::Json {
            return output.json(&signed);
        }
        let url = signed.get("url").and_then(Value::as_str).ok_or_else(|| Failure::Unreachable("the gateway sent no URL".to_owned()))?;
        output.text(&format!("{}\n", printable(url)))
    }
}
