//! Integration tests: the real Nix and real archives, in directories of their own.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test says why it is skipped, and fails by panicking"
)]

mod alternatives;
mod bench;
mod broken_images;
mod browser;
mod build;
mod byte_code;
mod carry;
mod checkout_copy;
mod commands;
mod diff;
mod download;
mod engine;
mod fetch;
mod fixture;
mod git;
mod gpus;
mod help;
mod hosts;
mod image;
mod image_tag;
mod inspect;
mod layers;
mod list_pages;
mod load;
mod native;
mod origin;
mod plan;
mod provide;
mod pull;
mod push;
mod record;
mod registries;
mod report;
mod run;
mod sbom;
mod serve;
mod server;
mod skips;
mod support;
mod tidy;
mod tiny_image;
mod tree_hashes;
mod update_locks;
mod variants;
mod verify;
mod walls;
mod wheels;
