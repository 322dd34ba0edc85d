//! Integration tests: package trees in, archives and layouts out, read back by other readers.

mod bad_input;
mod cli;
mod fixture;
mod golden;
mod layout;
mod merging;
mod properties;
mod tampering;
mod tar_format;
