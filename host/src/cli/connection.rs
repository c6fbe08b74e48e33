//! `portcullis connection …`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::ask;
use super::client::Client;
use super::failure::{Done, Failure, Result};
use super::import::Import;
use super::output::{Column, Format, Output, cell, printable};
use super::settings::Settings;

const ROUTE: [&str; 3] = ["api", "v1", "connections"];
const MAX_LISTED: usize = 10_000;

const COLUMNS: &[Column] =
    &[("NAME", "/name"), ("TYPE", "/type"), ("STATUS", "/status"), ("ID", "/connection_id"), ("UPDATED", "/updated_at"), ("DESCRIPTION", "/description")];
const PROPERTIES: &[Column] = &[
    ("name", "/name"),
    ("id", "/connection_id"),
    ("type", "/type"),
    ("plugin", "/plugin"),
    ("status", "/status"),
    ("enabled", "/enabled"),
    ("description", "/description"),
    ("config", "/config"),
    ("test location", "/test_location"),
    ("external id", "/external_id"),
    ("version", "/version"),
    ("last tested well", "/last_good_at"),
    ("created", "/created_at"),
    ("updated", "/updated_at"),
];
const FINDINGS: &[Column] = &[("CHECK", "/check"), ("PASSED", "/passed"), ("CODE", "/code"), ("MESSAGE", "/message"), ("REMEDY", "/remedy")];

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Create a connection. It is stored as pending and tested at once, unless --require-test.
    #[command(
        after_help = "Examples:\n  portcullis connection create media --type aws_iam_role \\\n      --set iam_role_arn=arn:aws:iam::444455556666:role/reader \\\n      --set bucket_name=my-bucket\n  portcullis connection create press --type https_basic \\\n      --set hostname=assets.example.com --set username=ingest \\\n      --secret password=@password.txt"
    )]
    Create(Create),
    /// List the connections.
    #[command(after_help = "Example:\n  portcullis connection list --status error")]
    List(List),
    /// Show one connection.
    #[command(after_help = "Example:\n  portcullis connection get media --output json")]
    Get(Named),
    /// Change a connection. New settings are merged into the old ones and tested again.
    #[command(
        after_help = "Examples:\n  portcullis connection edit media --set session_ttl:=900 --if-version 3\n  portcullis connection edit media --enabled false"
    )]
    Edit(Edit),
    /// Delete a connection.
    #[command(after_help = "Example:\n  portcullis connection delete media")]
    Delete(Named),
    /// Test a connection and show every check. Exits 1 if it fails.
    #[command(
        after_help = "Examples:\n  portcullis connection test media\n  portcullis connection test media --location s3://my-bucket/cat.jpg \\\n      --keep-status"
    )]
    Test(Test),
    /// Move a connection to another version of its plugin. It is tested first, and stays where it is if it fails.
    #[command(after_help = "Example:\n  portcullis connection move press")]
    Move(Move),
    /// Make connections of another program's: an rclone.conf, or JSON. Says what cannot be imported, and why.
    #[command(
        after_help = "Examples:\n  portcullis connection import rclone.conf --dry-run\n  portcullis connection import rclone.conf --only prod \\\n      --role prod=arn:aws:iam::444455556666:role/reader \\\n      --bucket prod=my-bucket"
    )]
    Import(Import),
    /// Print what the customer has to do to grant access, documents included.
    #[command(after_help = "Examples:\n  portcullis connection setup media\n  portcullis connection setup portcullis --bucket my-bucket")]
    Setup(Setup),
}

#[derive(Args)]
pub(super) struct Create {
    /// 3 to 255 lower-case letters, digits and '_'.
    name: String,
    /// The connector, as aws_iam_role or https_basic: see `portcullis plugin list`.
    #[arg(long = "type", value_name = "CONNECTOR")]
    connector: String,
    #[command(flatten)]
    settings: Settings,
    /// A source path that the test reads.
    #[arg(long, value_name = "SOURCE_PATH")]
    test_location: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// Store nothing unless the test passes.
    #[arg(long)]
    require_test: bool,
    /// Store it disabled: it is not tested, and refuses use until it is enabled.
    #[arg(long)]
    disabled: bool,
}

#[derive(Args)]
pub(super) struct List {
    /// pending, ready or error.
    #[arg(long)]
    status: Option<String>,
    #[arg(long = "type", value_name = "CONNECTOR")]
    connector: Option<String>,
}

#[derive(Args)]
pub(super) struct Named {
    /// A connection's name or id.
    connection: String,
}

#[derive(Args)]
pub(super) struct Edit {
    /// A connection's name or id.
    connection: String,
    #[arg(long, value_name = "NEW_NAME")]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// A source path that the test reads; an empty one takes it away.
    #[arg(long, value_name = "SOURCE_PATH")]
    test_location: Option<String>,
    /// Whether it may be used.
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    #[command(flatten)]
    settings: Settings,
    /// The version that you saw; the edit is refused if it is no longer that.
    #[arg(long, value_name = "NUMBER")]
    if_version: Option<u64>,
}

#[derive(Args)]
pub(super) struct Test {
    /// A connection's name or id.
    connection: String,
    /// A source path to read, instead of the connection's test location.
    #[arg(long, value_name = "SOURCE_PATH")]
    location: Option<String>,
    /// Leave the connection's status as it is.
    #[arg(long)]
    keep_status: bool,
}

#[derive(Args)]
pub(super) struct Move {
    /// A connection's name or id.
    connection: String,
    /// The version's digest, as `portcullis plugin inspect` shows it; the active one unless given.
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// The connection's version that you saw; the move is refused if it is no longer that.
    #[arg(long, value_name = "NUMBER")]
    if_version: Option<u64>,
}

#[derive(Args)]
pub(super) struct Setup {
    /// A connection's name or id.
    connection: String,
    /// For a connection that is not bound to one bucket.
    #[arg(long)]
    bucket: Option<String>,
}

impl Verb {
    pub(super) async fn run(self, client: &Client, output: Output) -> Done {
        match self {
            Self::Create(verb) => {
                let query: &[_] = if verb.require_test { &[("validate", "require")] } else { &[] };
                let mut body = verb.body()?;
                ask::missing(client, &verb.connector, &mut body).await?;
                let created = client.post(&ROUTE, query, &body).await?;
                shown(&created, output)
            }
            Self::List(verb) => {
                let mut query = Vec::new();
                query.extend(verb.status.as_deref().map(|status| ("status", status)));
                query.extend(verb.connector.as_deref().map(|connector| ("type", connector)));
                output.rows(COLUMNS, &client.list(&ROUTE, &query, MAX_LISTED).await?)
            }
            Self::Get(Named { connection }) => shown(&client.get(&one(&connection), &[]).await?, output),
            Self::Edit(verb) => shown(&client.patch(&one(&verb.connection), &verb.body()?).await?, output),
            Self::Delete(Named { connection }) => output.record(PROPERTIES, &client.delete(&one(&connection)).await?),
            Self::Test(verb) => test(&verb, client, output).await,
            Self::Move(verb) => shown(&client.post(&part(&verb.connection, "plugin"), &[], &verb.body()?).await?, output),
            Self::Import(verb) => verb.run(client, output).await,
            Self::Setup(Setup { connection, bucket }) => {
                let query: Vec<_> = bucket.as_deref().map(|bucket| ("bucket", bucket)).into_iter().collect();
                setup(&client.get(&part(&connection, "setup"), &query).await?, output)
            }
        }
    }
}

/// With what its last test failed for.
fn shown(connection: &Value, output: Output) -> Done {
    output.record(PROPERTIES, connection)?;
    let failed = |finding: &&Value| finding.get("passed").and_then(Value::as_bool) == Some(false);
    let findings = connection.pointer("/last_test/findings").and_then(Value::as_array);
    if output.format == Format::Table
        && let Some(finding) = findings.and_then(|findings| findings.iter().find(failed))
    {
        let text = |name: &str| cell(finding.get(name));
        output.note(&format!("its test failed: {}: {}\n  remedy: {}", text("code"), text("message"), text("remedy")));
    }
    Ok(())
}

fn one(connection: &str) -> Vec<&str> {
    ROUTE.into_iter().chain([connection]).collect()
}

pub(super) fn part<'a>(connection: &'a str, part: &'a str) -> Vec<&'a str> {
    ROUTE.into_iter().chain([connection, part]).collect()
}

impl Create {
    fn body(&self) -> Result<Value> {
        let mut body = json!({"name": self.name, "type": self.connector, "config": self.settings.read()?.unwrap_or_default()});
        if let Some(fields) = body.as_object_mut() {
            put(fields, "test_location", self.test_location.clone().map(Value::from));
            put(fields, "description", self.description.clone().map(Value::from));
            put(fields, "enabled", self.disabled.then_some(Value::Bool(false)));
        }
        Ok(body)
    }
}

impl Edit {
    fn body(&self) -> Result<Value> {
        let mut body = Map::new();
        put(&mut body, "name", self.name.clone().map(Value::from));
        put(&mut body, "description", self.description.clone().map(Value::from));
        put(&mut body, "test_location", self.test_location.as_deref().map(|text| if text.is_empty() { Value::Null } else { text.into() }));
        put(&mut body, "enabled", self.enabled.map(Value::from));
        put(&mut body, "config", self.settings.read()?.map(Value::Object));
        if body.is_empty() {
            return Err(Failure::usage("nothing to change was given"));
        }
        put(&mut body, "version", self.if_version.map(Value::from));
        Ok(Value::Object(body))
    }
}

impl Move {
    fn body(&self) -> Result<Value> {
        let mut body = Map::new();
        put(&mut body, "digest", self.to.clone().map(Value::from));
        put(&mut body, "config", self.settings.read()?.map(Value::Object));
        put(&mut body, "version", self.if_version.map(Value::from));
        Ok(Value::Object(body))
    }
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value);
    }
}

async fn test(verb: &Test, client: &Client, output: Output) -> Done {
    let mut body = json!({"update_state": !verb.keep_status});
    if let (Some(fields), Some(location)) = (body.as_object_mut(), &verb.location) {
        fields.insert("location".to_owned(), location.as_str().into());
    }
    let answer = client.post(&part(&verb.connection, "test"), &[], &body).await?;
    let findings = answer.get("checks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match output.format {
        Format::Json => output.json(&answer)?,
        Format::Table => output.rows(FINDINGS, findings)?,
    }
    // Not the status: that stays what it was with --keep-status.
    if answer.get("passed").and_then(Value::as_bool) == Some(true) {
        Ok(())
    } else {
        Err(Failure::Unsuccessful(format!("{} did not pass its test", verb.connection)))
    }
}

fn setup(answer: &Value, output: Output) -> Done {
    if output.format == Format::Json {
        return output.json(answer);
    }
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut page = String::new();
    for (number, step) in (1..).zip(answer.get("steps").and_then(Value::as_array).into_iter().flatten()) {
        page.push_str(&format!("{number}. {}\n", printable(&text(step, "title"))));
        for line in text(step, "text").lines() {
            page.push_str(&format!("   {}\n", printable(line)));
        }
        for document in step.get("documents").and_then(Value::as_array).into_iter().flatten() {
            page.push_str(&format!("\n--- {} ({})\n", printable(&text(document, "title")), printable(&text(document, "language"))));
            for line in text(document, "body").lines() {
                page.push_str(&format!("{}\n", printable(line)));
            }
        }
        page.push('\n');
    }
    output.text(&page)
}
