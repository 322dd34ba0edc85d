//! What differs between two images: settings, blobs, packages and files; and what will differ
//! once an image is built.
//!
//! Where an image is, and how its bytes come, is the caller's business: this reads texts and
//! streams.

mod blobs;
mod error;
mod files;
mod forecast;
mod packages;
mod settings;
mod verified;
mod view;

pub use blobs::{BlobChange, BlobDiff, BlobSize, Certainty, compare_blobs, differing_blobs};
pub use error::Error;
pub use files::{Encoding, FileChange, FileDiff, FileState, Listing, compare_files};
pub use forecast::{Sizes, forecast};
pub use packages::{Package, PackageChange, compare_packages};
pub use settings::{SettingChange, compare_settings, settings_of};
pub use verified::Verified;
pub use view::{Blob, View, packages_of};
