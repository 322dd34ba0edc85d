//! Image layers as reproducible tar streams, read straight from package trees.
//!
//! A layer is an ordered list of package trees; nothing here starts a program,
//! opens a connection or reads the clock.

mod blob;
mod canonical;
mod compare;
mod dpkg;
mod files;
mod merge;
mod modes;
mod overlap;
mod parallel;
mod partition;
mod pipe;
mod stack;
mod tar_header;
mod tree;

pub mod cli;
pub mod compression;
pub mod digest;
#[cfg(feature = "encode")]
pub mod encode;
pub mod error;
pub mod image;
pub mod layer;
pub mod layout;
pub mod name;
pub mod oci;
#[cfg(feature = "encode")]
pub mod recipe;
pub mod record;
pub mod schema;
pub mod spec;
pub mod stream;

pub use digest::Digest;
pub use error::Error;
pub use files::{read_json, resolve, write_json};
pub use name::{LayerName, Reference};
pub use overlap::Replacement;
pub use partition::Partition;
pub use schema::SchemaVersion;
pub use stack::{Place, Stacking};
