//! Pushes images to registries of the OCI distribution specification.

mod address;
mod credentials;
mod error;
mod registry;
mod session;

pub use error::Error;
pub use registry::{Registry, Traffic};
