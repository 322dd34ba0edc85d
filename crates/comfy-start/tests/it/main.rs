//! The program on real file systems, real signals and real engines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod containers;
mod deploy;
mod engine;
mod fixture;
mod histories;
mod kill;
mod process;
mod rootless;
mod volume;
