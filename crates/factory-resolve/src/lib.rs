//! Resolves lists into locks: apt for Debian, uv for Python.

pub mod debian;
pub mod python;
