//! Installs one wheel into a package tree, by the specifications of
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/> and
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>, with
//! the bytes that PyPA's `installer` writes.
//!
//! It is the builder of a derivation: no shell, no Python and no chroot. What it does not
//! understand in a wheel it refuses, and names the package and the member.

pub mod archive;
pub mod cli;
pub mod dist_info;
pub mod entry_points;
pub mod error;
pub mod install;
pub mod name;
pub mod plan;
pub mod record;
pub mod request;
mod scheme;
mod twins;
mod unpack;
