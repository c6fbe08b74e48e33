//! An example of each body and answer: one story, in which `acme` lets the gateway into a bucket and ingests two files from it.
//!
//! `tests/it/openapi` holds each to its schema.

use std::sync::LazyLock;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

pub const CONNECTION: &str = "my_s3_connection";
pub const SOURCE: &str = "s3://my-bucket/2026/cat.jpg";
pub const SIGNED: &str = "AYx0q3Zt8Vb1nXw6Rk0Ym2Ls9Hd4";
pub const DATASET: &str = "cats";
pub const JOB: &str = "0198c1a2-6f3e-4c1b-9c53-5f0f3a0d7e11";
pub const ASSET: &str = "5b1f0c5e-8a57-5f5a-9d0e-1c2b3a4d5e6f";
pub const TOKEN: &str = "c2a7d9b4-1e6f-4a3b-8c5d-7e9f0a1b2c3d";
pub const PLUGIN: &str = "https_header";
pub const DIGEST: &str = "sha256:6b1d2c3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff0";
pub const ORGANIZATION: &str = "acme";

const CONNECTION_ID: &str = "7f1c2a54-9d0e-4c58-9a63-2f6b8a1d4e01";
const ROLE: &str = "arn:aws:iam::444455556666:role/media-reader";
const EXTERNAL_ID: &str = "pc-q3Zt8Vb1nXw6Rk0Ym2Ls9Hd4";
const MADE: &str = "2026-03-02T09:30:00.125Z";
const LATER: &str = "2026-03-02T09:31:07.5Z";
const EGRESS: &str = "https://{settings.hostname}";

/// Of the component with this name; `null` where nobody wrote one.
pub fn of(schema: &str) -> Value {
    EXAMPLES.get(schema).cloned().unwrap_or_default()
}

static EXAMPLES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let parts = [connections(), ingestion(), plugins(), tenants(), gateway()];
    parts.into_iter().filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None }).flatten().collect()
});

fn finding(check: &str, message: &str) -> Value {
    json!({"check": check, "passed": true, "code": "ok", "message": message})
}

fn connections() -> Value {
    let findings = json!([
        finding("settings", "the settings are complete"),
        finding("list", "bucket my-bucket can be listed"),
        finding("clock", "AWS accepts the time of the gateway's requests"),
    ]);
    json!({
        "Connection": {
            "connection_id": CONNECTION_ID,
            "name": CONNECTION,
            "description": "Films of Acme",
            "type": "aws_iam_role",
            "default": false,
            "plugin": DIGEST,
            "status": "ready",
            "enabled": true,
            "config": {"iam_role_arn": ROLE, "bucket_name": "my-bucket", "scope": "s3", "session_ttl": 3600},
            "test_location": SOURCE,
            "external_id": EXTERNAL_ID,
            "revision": 1,
            "version": 2,
            "created_at": MADE,
            "updated_at": LATER,
            "last_test": {"at": LATER, "passed": true, "findings": findings},
            "last_good_at": LATER,
        },
        "ConnectionChange": {"description": "Films of Acme, 2026", "config": {"session_ttl": 900}, "version": 2},
        "ConnectionMove": {"digest": DIGEST, "version": 2},
        "ConnectionTest": {"location": SOURCE, "update_state": false},
        "ConnectionTested": {"status": "ready", "passed": true, "checks": findings},
        "ObjectsAsk": {"prefix": "2026/", "max_keys": 100},
        "Objects": {
            "entries": [{"path": SOURCE, "size": 48123, "etag": "\"9b2cf535f27731c974343645a3985328\"", "last_modified": "Mon, 02 Mar 2026 08:12:44 GMT"}],
            "prefixes": ["2026/raw/"],
            "next": null,
        },
        "Setup": {
            "principal": {
                "platform_name": "portcullis",
                "account_id": "123456789012",
                "role_arn": "arn:aws:iam::123456789012:role/portcullis",
                "organization": ORGANIZATION,
            },
            "external_id": EXTERNAL_ID,
            "steps": [{
                "title": "Create the role",
                "text": "The role trusts the gateway's role, with this connection's external id and not without it.",
                "documents": [{"title": "Trust policy", "language": "json", "body": trust()}],
            }],
        },
        "SignAsk": {"source_path": SOURCE, "expires_in": 300},
        "SignedUrl": {"url": format!("https://portcullis.example.com/s?token={SIGNED}"), "method": "GET", "expires_at": LATER},
        "PlanAsk": {"connection": CONNECTION, "source_paths": [SOURCE, "s3://other-bucket/cat.jpg"]},
        "Plan": {"items": [
            {
                "source_path": SOURCE,
                "request": {
                    "method": "GET",
                    "url": "https://my-bucket.s3.eu-west-1.amazonaws.com/2026/cat.jpg",
                    "headers": [["authorization", "AWS4-HMAC-SHA256 …"]],
                    "credential": {"aws_assume_role": {"role_arn": ROLE, "duration_seconds": 3600, "region": null}},
                },
            },
            {
                "source_path": "s3://other-bucket/cat.jpg",
                "error": {"code": "scope_violation", "message": "the connection reads my-bucket only", "remedy": "Name an object of that bucket."},
            },
        ]},
    })
}

fn trust() -> String {
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:role/portcullis"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn ingestion() -> Value {
    let metadata = json!({"label": "cat", "score": 0.9});
    let stored = json!({
        "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "size": 48123,
        "content_type": "image/jpeg",
        "etag": "\"9b2cf535f27731c974343645a3985328\"",
        "location": "acme/af/af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    });
    json!({
        "AssetsSubmission": {
            "dataset_id": DATASET,
            "connection_name": CONNECTION,
            "assets": [{"source_path": SOURCE, "metadata": metadata}, {"source_path": "s3://my-bucket/2026/gone.jpg"}],
        },
        "Dataset": {"dataset_id": DATASET, "default_connection": CONNECTION, "default_connection_id": CONNECTION_ID, "updated_at": MADE},
        "DatasetSettings": {"default_connection": CONNECTION},
        "Job": {
            "job_id": JOB,
            "organization": ORGANIZATION,
            "dataset_id": DATASET,
            "connection_id": CONNECTION_ID,
            "type": "assets",
            "status": "completed",
            "total": 2,
            "processed": 2,
            "errored": 1,
            "bytes": 48123,
            "created_at": MADE,
            "started_at": MADE,
            "finished_at": LATER,
            "error": null,
        },
        "JobAsset": {
            "index": 0,
            "asset_id": ASSET,
            "source_path": SOURCE,
            "metadata": metadata,
            "status": "completed",
            "attempts": 1,
            "error": null,
            "stored": stored,
            "updated_at": LATER,
        },
        "Asset": {
            "asset_id": ASSET,
            "dataset_id": DATASET,
            "connection_id": CONNECTION_ID,
            "source_path": SOURCE,
            "metadata": metadata,
            "status": "completed",
            "error": null,
            "stored": stored,
            "version": 1,
            "job_id": JOB,
            "created_at": LATER,
            "updated_at": LATER,
        },
    })
}

fn plugins() -> Value {
    let settings = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["hostname", "api_key"],
        "properties": {"hostname": {"type": "string"}, "api_key": {"type": "string", "writeOnly": true}},
    });
    let about = json!({
        "id": PLUGIN,
        "title": "HTTPS with a key in a header",
        "version": "1.2.0",
        "summary": "Reads files from an https server that wants a key in a header.",
        "settings": settings,
        "source_schemes": ["https"],
        "egress": [EGRESS],
        "capabilities": ["http"],
        "digest": DIGEST,
    });
    let version = json!({
        "digest": DIGEST,
        "version": "1.2.0",
        "title": "HTTPS with a key in a header",
        "size": 214_016,
        "state": "active",
        "imports": ["http"],
        "egress": [EGRESS],
        "uploaded_at": MADE,
        "granted_at": LATER,
    });
    let offer = json!({
        "id": PLUGIN,
        "state": "pending",
        "granted_at": null,
        "summary": "Reads files from an https server that wants a key in a header.",
        "source_schemes": ["https"],
        "settings": settings,
        "change": null,
        "grant_required": true,
    });
    let installed = json!({"imports": ["http"], "granted": ["http"], "origin": "installed", "state": "active", "suspensions": [], "versions": [version]});
    json!({
        "Plugin": with(&about, installed),
        "Connector": about,
        "PluginOffered": with(&version, offer),
        "PluginVersion": version,
        "PluginGrant": {"digest": DIGEST, "capabilities": ["http"], "egress": [EGRESS]},
        "PluginActivate": {"digest": DIGEST},
    })
}

/// `base` with more fields.
fn with(base: &Value, more: Value) -> Value {
    let mut whole = base.clone();
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

fn tenants() -> Value {
    let token = json!({"token_id": TOKEN, "name": "labelling", "role": "member", "organization": ORGANIZATION, "created_at": MADE, "expires_at": "2027-03-02T00:00:00Z"});
    json!({
        "OrganizationShown": {"organization": ORGANIZATION, "description": "Acme Films", "created_at": MADE},
        "OrganizationCreate": {"organization": ORGANIZATION, "description": "Acme Films"},
        "TokenMinted": with(&token, json!({"token": "pct_shown0once0only0shown0once0only0shown0once0onl"})),
        "Token": token,
        "TokenCreate": {"name": "labelling", "role": "member", "expires_at": "2027-03-02T00:00:00Z"},
    })
}

fn gateway() -> Value {
    let hash = |digit: &str| digit.repeat(64);
    json!({
        "AuditLine": {
            "seq": 42,
            "time": LATER,
            "kind": "use",
            "org": ORGANIZATION,
            "actor": format!("token:{TOKEN}"),
            "verb": "fetch",
            "how": "sign_request",
            "connection": CONNECTION_ID,
            "version": 2,
            "plugin": DIGEST,
            "target": "my-bucket",
            "objects": ["2026/cat.jpg"],
            "count": 3,
            "since": MADE,
            "outcome": "ok",
            "prev": hash("a"),
            "hash": hash("b"),
        },
        "Health": {"status": "ok"},
        "Readiness": {"status": "ready", "store": "ok", "sink": "ok", "connectors": "ok"},
        "Version": {"name": "portcullis", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// What a problem of this status may look like.
pub fn problem(status: u16) -> Value {
    let (code, detail, remedy) = match status {
        400 => ("invalid_parameter", "'limit' is a number from 1 to 500", "Correct the request."),
        401 => ("unauthorized", "a token is needed", "Send one header: Authorization: Bearer <token>."),
        403 => ("role_required", "only an admin of the organization may do this", "Ask an admin of the organization."),
        404 => ("connection_not_found", "there is no such connection", "Check its name or id: `GET /api/v1/connections` lists those of your organization."),
        408 => ("request_timeout", "the body took too long to arrive", "Send it again, faster."),
        409 => ("name_taken", "another connection has this name", "Choose another name, or delete the other connection first."),
        412 => ("stale_version", "the connection is at version 3 by now", "Read it again, then send the change with the new version."),
        413 => ("body_too_large", "a body is at most 1048576 bytes here", "Send less at once."),
        415 => ("unsupported_media_type", "send the body as Content-Type: application/json", "Send the header Content-Type: application/json."),
        422 => ("invalid_field", "/name: is 3 to 255 lower-case letters, digits and '_'", "Correct the fields that are named."),
        429 => ("too_many_failures", "too many wrong tokens from this address", "Wait as long as Retry-After says."),
        502 => ("permission_denied", "the remote refused: AccessDenied", "Test the connection: its findings say what the remote wants."),
        503 => ("plugins_busy", "too many calls of plugins wait already", "Try again in a moment."),
        _ => ("internal_error", "the gateway failed; its log names the request id", "Ask the operator of the gateway, with the request id."),
    };
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let mut problem = json!({
        "type": format!("urn:portcullis:problem:{code}"),
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "5b1f0c5e-2a",
        "remedy": remedy,
    });
    if let (422, Value::Object(fields)) = (status, &mut problem) {
        fields.insert("errors".to_owned(), json!([{"pointer": "/name", "detail": "is 3 to 255 lower-case letters, digits and '_'"}]));
    }
    problem
}
