//! Interface `aws`: what a plugin may ask about AWS during `check` and `list`. Each request is judged like a plan; keys never come back.

use super::bindings::portcullis::connector::aws::{Credential, Error, ExternalIdVerdict, Host, Identity, ObjectInfo, Page, S3Object};
use super::call::Call;
use super::{lift, lower};
use crate::broker;
use crate::model::Capability;
use crate::policy::Action;

impl Host for Call {
    async fn acquire(&mut self, credential: Credential) -> wasmtime::Result<Result<u32, Error>> {
        self.ask(Capability::Aws, |power| async move {
            let permit = power.grant.permit_session(&lift::credential(credential)?)?;
            power.remote.acquire(permit).await
        })
        .await
    }

    async fn caller_identity(&mut self, credential: Credential) -> wasmtime::Result<Result<Identity, Error>> {
        self.ask(Capability::Aws, |power| async move {
            let permit = power.grant.permit_session(&lift::credential(credential)?)?;
            let broker::Identity { account, arn } = power.remote.caller_identity(permit).await?;
            Ok(Identity { account, arn })
        })
        .await
    }

    async fn probe_external_id(&mut self, credential: Credential) -> wasmtime::Result<Result<ExternalIdVerdict, Error>> {
        self.ask(Capability::Aws, |power| async move {
            let permit = power.grant.permit_session(&lift::credential(credential)?)?;
            power.remote.probe_external_id(permit).await.map(lower::verdict)
        })
        .await
    }

    async fn bucket_region(&mut self, credential: Credential, bucket: String) -> wasmtime::Result<Result<String, Error>> {
        self.ask(Capability::Aws, |power| async move {
            let permit = power.grant.permit_bucket_region(&bucket, &lift::credential(credential)?)?;
            power.remote.bucket_region(permit).await.map(String::from)
        })
        .await
    }

    async fn head(&mut self, credential: Credential, object: S3Object) -> wasmtime::Result<Result<ObjectInfo, Error>> {
        self.ask(Capability::Aws, |power| async move {
            let permit = power.grant.permit_s3(Action::Head, &lift::s3_object(object)?, &lift::credential(credential)?)?;
            let meta = power.remote.head(permit).await?.meta;
            Ok(ObjectInfo { size: meta.content_length.unwrap_or(0), etag: meta.etag, content_type: meta.content_type })
        })
        .await
    }

    async fn probe_read(&mut self, credential: Credential, object: S3Object) -> wasmtime::Result<Result<(), Error>> {
        self.ask(Capability::Aws, |power| async move {
            let permit = power.grant.permit_s3(Action::Read, &lift::s3_object(object)?, &lift::credential(credential)?)?;
            power.remote.probe_read(permit).await
        })
        .await
    }

    async fn list(
        &mut self,
        credential: Credential,
        bucket: String,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Page, Error>> {
        self.ask(Capability::Aws, |power| async move {
            lift::page_limit(limit)?;
            let permit = power.grant.permit_bucket(&bucket, &prefix, &lift::credential(credential)?)?;
            power.remote.list(permit, cursor.as_deref(), limit).await.map(lower::page)
        })
        .await
    }
}
