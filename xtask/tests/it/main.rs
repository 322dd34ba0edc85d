//! Integration tests: the real Nix and real archives, in directories of their own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod build;
mod commands;
mod download;
mod engine;
mod fetch;
mod fixture;
mod provide;
mod server;
mod support;
mod verify;
