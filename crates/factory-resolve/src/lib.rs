//! Resolves lists into locks: apt for Debian, uv for Python.

mod checkout;
mod committed;
mod context;
pub mod debian;
mod error;
mod fetch;
pub mod python;

pub use checkout::{layers, systems, systems_named};
pub use committed::Checked;
pub use context::Context;
pub use error::{Error, Problem};
