//! Resolves lists into locks: apt for Debian, uv for Python.

mod checkout;
pub mod debian;
pub mod python;

pub use checkout::layers;
