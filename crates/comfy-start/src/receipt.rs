//! Receipts: what the image put into a directory of the volume, by path and SHA-256.
//!
//! A receipt lies in the directory that it speaks of, so it goes where that goes: a node that
//! is disabled by renaming it takes its own along, and an empty volume mounted at `models` has
//! none.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{At as _, Error};
use crate::files::{mtime_ns, remove_if_there, replace};

/// The file's name. ComfyUI passes over a file in `custom_nodes` that does not end in `.py`.
pub const NAME: &str = ".comfy-start.json";

const SCHEMA_VERSION: u32 = 1;

/// Says what was put somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub(crate) schema_version: u32,
    /// The identity of the bundle that is here wholly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Each file, by path below the receipt's directory.
    pub files: BTreeMap<String, Put>,
    /// In `custom_nodes`: every node that was put here, and is not known to have gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, NodeState>,
    /// For ComfyUI itself: files of an earlier one are still being moved aside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_taking_over: bool,
    /// In a node: the image has it no more, and only the user's files are left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_retired: bool,
}

/// Says what one file was when we put it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// Of the content, or of a link's target.
    pub sha256: String,
    /// With the time of change: a file that has both still is not read to see that it is ours.
    pub size_bytes: u64,
    /// In nanoseconds since 1970.
    pub mtime_ns: i64,
    /// We are about to write or remove it, so its absence is our doing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unsettled: bool,
    /// We are about to replace it by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coming: Option<Coming>,
}

impl Put {
    /// What is there now, put by us and done with.
    pub fn settled(sha256: String, metadata: &fs::Metadata) -> Self {
        Self {
            sha256,
            size_bytes: metadata.len(),
            mtime_ns: mtime_ns(metadata),
            is_unsettled: false,
            coming: None,
        }
    }

    /// Whether a file is still what we put there, by its size and time of change alone. Of a
    /// link it is never said: links are read, as that costs no more.
    pub fn is_untouched(&self, metadata: &fs::Metadata) -> bool {
        self.size_bytes == metadata.len()
            && self.mtime_ns == mtime_ns(metadata)
            && self.coming.is_none()
            && !self.is_unsettled
            && !metadata.is_symlink()
    }
}

/// Says what a file is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coming {
    /// Of the content.
    pub sha256: String,
    /// Its size.
    pub size_bytes: u64,
}

/// Says where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It was put here: where it is not any more, the user removed it.
    Installed,
    /// We are about to write or remove it, so its absence is our doing.
    Going,
}

impl Default for Receipt {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            bundle: None,
            files: BTreeMap::new(),
            nodes: BTreeMap::new(),
            is_taking_over: false,
            is_retired: false,
        }
    }
}

impl Receipt {
    /// Reads the receipt of a directory; `None` where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no receipt.
    pub fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(NAME);
        let text = match fs::read(&path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            text => text.at("read", &path)?,
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| Error::Receipt { path, source })
    }

    /// Writes the receipt of a directory: whole, or not at all.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(NAME);
        replace(&path, &self.text(&path)?)
    }

    /// Removes what a killed start left of a receipt.
    pub(crate) fn remove_unfinished(directory: &Path) -> Result<(), Error> {
        remove_if_there(&directory.join(format!("{NAME}.new")))
    }

    /// Writes the receipt of a directory that is being staged.
    pub(crate) fn write_unsynced(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(NAME);
        fs::write(&path, self.text(&path)?).at("write", &path)
    }

    fn text(&self, path: &Path) -> Result<Vec<u8>, Error> {
        serde_json::to_vec_pretty(self).map_err(|source| Error::Receipt {
            path: path.to_owned(),
            source,
        })
    }
}
