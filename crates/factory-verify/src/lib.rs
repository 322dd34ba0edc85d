//! Checks of an image: what they are, where they run, what they found.

pub mod check;
pub mod engine;
mod error;
pub mod report;
mod subject;
pub mod suite;

pub use error::Error;
pub use subject::{GpuMode, Locked, Subject};
