//! Where an image comes from: bills of materials, provenance, statements and signatures.
//!
//! Locks and text go in, documents come out, the same bytes for the same input. No network, no
//! process, no clock.

mod attachment;
pub mod bundle;
mod contents;
pub mod cyclonedx;
mod deb_licence;
pub mod dsse;
mod error;
mod identity;
mod inventory;
mod key;
mod licence;
pub mod provenance;
mod purl;
mod python_licence;
pub mod spdx;
pub mod statement;

pub use attachment::{Attachment, Kind as AttachmentKind};
pub use contents::Contents;
pub use deb_licence::of_copyright;
pub use error::Error;
pub use inventory::{Component, Inventory, Kind, Licences, Locks, Project};
pub use key::{PrivateKey, PublicKey};
pub use licence::Licence;
pub use purl::Purl;
pub use python_licence::of_metadata;

/// When everything is said to be made: the time of the image itself, so that the same locks give
/// the same bytes (RFC 3339).
pub const CREATED: &str = "1970-01-01T00:00:01Z";

/// This program, as documents name it.
pub const TOOL: &str = "comfyui-image-factory";
