//! The bugs, one file for each function of the contract.

pub mod check;
pub mod describe;
pub mod list;
pub mod locate;
pub mod settings;
pub mod setup;
