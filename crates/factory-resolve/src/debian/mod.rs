//! Debian roots: `debian.toml` and `debian/*.apt` in, `locks/debian/*.toml` out.
//!
//! apt solves, and checks signatures, the hash chain and Valid-Until, in a private root
//! that shares only mirrors and proxies with the machine's own apt.

mod apt;
mod config;
mod error;
mod index;
mod inputs;
mod preferences;
mod seed;
mod snapshot;
mod solve;

pub use config::{Config, Root};
pub use error::Error;
pub use inputs::Options;
pub use seed::{SeedLock, check as check_seed, update as update_seed};
pub use solve::{RootUpdate, check, image_packages, update};
