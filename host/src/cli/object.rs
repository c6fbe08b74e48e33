//! `portcullis cat`, `ls` and `plan`: one connection, looked through.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, unreachable};
use super::connection::part;
use super::failure::{Done, Failure};
use super::output::{Column, Format, Output, cell, printable, write_out};
use crate::model::ByteRange;

const ENTRIES: &[Column] = &[("SIZE", "/size"), ("MODIFIED", "/last_modified"), ("PATH", "/path")];
const MAX_PLANNED: usize = 1000;

#[derive(Args)]
pub(super) struct Cat {
    /// A connection's name or id.
    connection: String,
    /// As s3://bucket/key or https://host/path.
    source_path: String,
    /// Bytes FIRST-LAST, FIRST- or -COUNT.
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, value_parser = range)]
    range: Option<ByteRange>,
    /// Write to a file instead of standard output. It appears, or is replaced, when it is whole.
    #[arg(long, short = 'f', value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Ls {
    /// A connection's name or id.
    connection: String,
    /// What the keys or paths begin with.
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// For a connection that is not bound to one bucket.
    #[arg(long)]
    bucket: Option<String>,
    /// Stop after so many entries.
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    limit: usize,
}

#[derive(Args)]
pub(super) struct Plan {
    /// A connection's name or id.
    connection: String,
    /// Up to 1000.
    #[arg(required = true)]
    source_paths: Vec<String>,
}

fn range(text: &str) -> std::result::Result<ByteRange, &'static str> {
    ByteRange::parse(&format!("bytes={text}")).ok_or("a range is FIRST-LAST, FIRST- or -COUNT, in bytes from 0")
}

impl Cat {
    pub(super) async fn run(self, client: &Client) -> Done {
        let query = [("connection", self.connection.as_str()), ("source_path", self.source_path.as_str())];
        let range = self.range.map(|range| range.to_string());
        let mut response = client.open(&["api", "v1", "objects"], &query, range.as_deref()).await?;
        if range.is_some() && response.status().as_u16() != 206 {
            return Err(Failure::Unsuccessful("the remote ignored the range and would have sent the whole object".to_owned()));
        }
        let Some(path) = &self.to else {
            let mut out = std::io::stdout().lock();
            while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
                write_out(&mut out, &chunk)?;
            }
            return Ok(());
        };
        let failed = |error: std::io::Error| Failure::local(path.display().to_string(), &error);
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut file = std::fs::File::create(&part).map_err(failed)?;
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
            file.write_all(&chunk).map_err(failed)?;
        }
        file.sync_all().and_then(|()| std::fs::rename(&part, path)).map_err(failed)
    }
}

impl Ls {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        let (mut entries, mut prefixes, mut token) = (Vec::new(), Vec::new(), None::<String>);
        while entries.len() + prefixes.len() < self.limit {
            let max_keys = (self.limit - entries.len() - prefixes.len()).min(1000);
            let mut body = json!({"prefix": self.prefix, "max_keys": max_keys});
            if let Some(fields) = body.as_object_mut() {
                fields.extend(self.bucket.as_deref().map(|bucket| ("bucket".to_owned(), bucket.into())));
                fields.extend(token.as_deref().map(|token| ("continuation_token".to_owned(), token.into())));
            }
            let page = client.post(&part(&self.connection, "list"), &[], &body).await?;
            let of = |name: &str| page.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            entries.extend(of("entries"));
            prefixes.extend(of("prefixes"));
            token = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        if output.format == Format::Json {
            return output.json(&json!({"entries": entries, "prefixes": prefixes, "next": token}));
        }
        let rows: Vec<_> = prefixes.into_iter().map(|prefix| json!({"path": prefix})).chain(entries).collect();
        output.rows(ENTRIES, &rows)?;
        if token.is_some() {
            output.note("there is more: raise --limit");
        }
        Ok(())
    }
}

impl Plan {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        if self.source_paths.len() > MAX_PLANNED {
            return Err(Failure::usage("at most 1000 source paths at a time"));
        }
        let answer = client.post(&["api", "v1", "plan"], &[], &json!({"connection": self.connection, "source_paths": self.source_paths})).await?;
        let items = answer.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let refused = items.iter().filter(|item| item.get("error").is_some_and(|error| !error.is_null())).count();
        match output.format {
            Format::Json => output.json(&answer)?,
            Format::Table => output.text(&items.iter().map(describe).collect::<String>())?,
        }
        match refused {
            0 => Ok(()),
            count => Err(Failure::Unsuccessful(format!("{count} of {} source paths would be refused", items.len()))),
        }
    }
}

/// Every host, method, header and credential name; no value of a secret is known here.
fn describe(item: &Value) -> String {
    let at = |pointer: &str| cell(item.pointer(pointer));
    let mut text = format!("{}\n", at("/source_path"));
    if item.get("request").is_none_or(Value::is_null) {
        text.push_str(&format!("  refused     {}: {}\n", at("/error/code"), cell(item.pointer("/error/detail").or(item.pointer("/error/message")))));
        return text;
    }
    text.push_str(&format!("  request     {} {}\n", at("/request/method"), at("/request/url")));
    for header in item.pointer("/request/headers").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&format!(
            "  header      {}: {}\n",
            cell(header.pointer("/0").or(header.get("name"))),
            cell(header.pointer("/1").or(header.get("value")))
        ));
    }
    let credential = item
        .pointer("/request/credential")
        .map_or_else(|| "none".to_owned(), |credential| credential.as_str().map_or_else(|| credential.to_string(), str::to_owned));
    text.push_str(&format!("  credential  {}\n", printable(&credential)));
    text
}
