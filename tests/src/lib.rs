//! What the tests stand on: doubles of AWS and of an https origin, the referee beside them, and the real gateway as a child process.

pub mod api;
pub mod aws;
pub mod aws_client;
pub mod azurite;
pub mod compiled;
pub mod component;
pub mod gateway;
pub mod guest_memory;
pub mod ministack;
pub mod openapi;
pub mod origin;
pub mod process;
pub mod scene;
pub mod search;
pub mod seeded;
pub mod stack;
