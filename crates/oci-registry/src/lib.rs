//! Image registries of the OCI distribution specification: pushes to them, and is one.

mod address;
mod credentials;
mod error;
mod fallback;
mod mount;
mod pull;
mod referrers;
mod registry;
mod session;

pub mod serve;

pub use error::Error;
pub use referrers::{NewArtifact, Referrer};
pub use registry::{Registry, Traffic};
