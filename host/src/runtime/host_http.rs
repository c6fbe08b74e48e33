//! Interface `http`: what a plugin may ask of a web server during `check` and `list`: status lines and small documents, inside the connection's egress.

use super::bindings::portcullis::connector::http::{Answer, Credential, Error, Host, HttpObject};
use super::call::Call;
use super::lift;
use super::limits::DOCUMENT;
use super::remote::Head;
use crate::model::Capability;
use crate::policy::Action;

impl Host for Call {
    async fn head(&mut self, credential: Credential, object: HttpObject) -> wasmtime::Result<Result<Answer, Error>> {
        self.ask(Capability::Http, |power| async move {
            let permit = power.grant.permit_http(Action::Head, &lift::http_object(object)?, &lift::credential(credential)?)?;
            let Head { status, meta } = power.remote.head(permit).await?;
            Ok(Answer {
                status,
                content_length: meta.content_length,
                accepts_ranges: meta.accept_ranges.is_some_and(|unit| unit.trim().eq_ignore_ascii_case("bytes")),
                content_type: meta.content_type,
            })
        })
        .await
    }

    async fn get_document(&mut self, credential: Credential, object: HttpObject) -> wasmtime::Result<Result<String, Error>> {
        self.ask(Capability::Http, |power| async move {
            let permit = power.grant.permit_http(Action::Read, &lift::http_object(object)?, &lift::credential(credential)?)?;
            power.remote.document(permit, DOCUMENT).await
        })
        .await
    }
}
