//! Time and randomness, as values: `app` makes the real ones, tests make their own.

use std::sync::Arc;

use super::Timestamp;

pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Fills the buffer with bytes nobody can guess.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;
