//! Only what passed its test serves, and what changed is never served from memory.

use super::*;
use crate::model::{ConnectionId, ConnectionName, Digest, ExternalId, Finding, LastTest, Timestamp};

fn connection(state: ConnectionState, last_test: Option<LastTest>) -> Connection {
    Connection {
        state,
        last_test,
        ..Connection::new(
            ConnectionId(uuid::Uuid::from_u128(1)),
            OrgId::new("acme").unwrap(),
            ConnectionName::new("films").unwrap(),
            "https_bearer".to_owned(),
            Digest([0; 32]),
            ExternalId::new("pc-000000000000000000000000").unwrap(),
            Timestamp::from_millis(0),
        )
    }
}

#[test]
fn c21_only_a_ready_connection_serves() {
    let finding = Finding { check: "read".into(), passed: false, code: "permission_denied".into(), message: "the role may not read".into(), remedy: None };
    let test = LastTest { at: Timestamp::from_millis(0), passed: false, findings: vec![finding] };
    let pending = must_be_ready(&connection(ConnectionState::Pending, None)).expect_err("pending");
    assert_eq!(pending.code(), "connection_not_ready");
    let failed = must_be_ready(&connection(ConnectionState::Error, Some(test))).expect_err("error");
    assert_eq!(failed.code(), "connection_not_ready");
    assert!(failed.message().contains("permission_denied"), "{failed}");
    assert!(must_be_ready(&connection(ConnectionState::Ready, None)).is_ok());
}
