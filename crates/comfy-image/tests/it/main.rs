//! Integration tests: package trees in, archives and layouts out, read back by other readers.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bad_input;
mod cli;
mod encoding;
mod fixture;
mod golden;
mod layout;
mod merging;
mod overlaps;
mod properties;
mod roots;
mod stability;
mod stacking;
mod tampering;
mod tar_format;
