//! Integration tests: the real Nix and real archives, in directories of their own.

mod fetch;
mod provide;
mod support;
