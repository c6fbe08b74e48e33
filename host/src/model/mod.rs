//! The nouns: ids, validated newtypes, records and errors. No IO, no async, no clock.

mod access;
mod actor;
mod ambient;
mod connection;
mod connector;
mod error;
mod external_id;
mod ids;
mod job;
mod names;
mod object;
mod plan;
mod timestamp;

pub use access::{Caller, Organization, Role, TokenRecord};
pub use actor::{Actor, Asker, By, Purpose};
pub use ambient::{Clock, Random};
pub use connection::{Connection, ConnectionState, LastTest, SealedSecret};
pub use connector::{Capability, Description, Document, Entry, Finding, Page, Principal, SetupStep};
pub use error::{Error, FieldError, Kind, Result, pointer};
pub use ids::{AssetId, ConnectionId, Digest, JobId, OrgId, TokenId};
pub use job::{Asset, AssetState, Dataset, Item, ItemError, Job, JobState, Metadata, Stored};
pub use names::{AccountId, BucketName, ConnectionName, DatasetId, ExternalId, ObjectKey, Region, RoleArn, SourcePath};
pub use object::{ByteRange, ObjectMeta};
pub use plan::{AssumeRole, Credential, Header, HttpObject, Location, OAuth2, Piece, Plan, RequestPart, S3Object, Target, TimestampFormat};
pub use timestamp::Timestamp;
