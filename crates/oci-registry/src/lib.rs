//! Image registries of the OCI distribution specification: pushes to them, and is one.

mod address;
mod credentials;
mod error;
mod mount;
mod pull;
mod registry;
mod session;

pub mod serve;

pub use error::Error;
pub use registry::{Registry, Traffic};
