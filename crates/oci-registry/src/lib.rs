//! Pushes images to registries of the OCI distribution specification.

mod credentials;
mod error;
mod registry;

pub use error::Error;
pub use registry::{Registry, Traffic};
