//! Integration tests: the real Nix and real archives, in directories of their own.

mod build;
mod fetch;
mod fixture;
mod provide;
mod support;
