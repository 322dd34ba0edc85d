//! Integration tests: the real Nix and real archives, in directories of their own.

mod build;
mod download;
mod fetch;
mod fixture;
mod provide;
mod server;
mod support;
