//! Integration tests: the real Nix and real archives, in directories of their own.

mod download;
mod fetch;
mod provide;
mod server;
mod support;
