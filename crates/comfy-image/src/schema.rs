//! The version that each of our JSON documents carries.

use serde::{Deserialize, Serialize};

/// The only version there is.
const CURRENT: u32 = 1;

/// Stands for `"schema_version": 1`; a document of any other version is not read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct SchemaVersion;

impl TryFrom<u32> for SchemaVersion {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        if version == CURRENT {
            Ok(Self)
        } else {
            Err(format!(
                "unknown schema_version {version}, this program reads {CURRENT}"
            ))
        }
    }
}

impl From<SchemaVersion> for u32 {
    fn from(_: SchemaVersion) -> Self {
        CURRENT
    }
}
