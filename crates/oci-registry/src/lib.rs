//! Pushes images to registries of the OCI distribution specification.

mod credentials;
mod registry;

pub use registry::{Registry, Traffic};
