//! What every crate of the factory stands on: failures, streams, processes, files.

pub mod error;
pub mod fs;
pub mod memory;
pub mod process;
pub mod run;
pub mod text;
