//! Decides what becomes of each file of the volume, from what the image holds, what the
//! receipt says and what is there. Changes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::entry::{Entries, Entry};
use crate::error::Error;
use crate::files::{digest, is_beginning, look};
use crate::receipt::{Put, Receipt};

/// Says whose word counts when a file is neither the image's nor as we put it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The user's: nodes, models, settings.
    Keep,
    /// The image's: ComfyUI itself. The user's file is moved aside.
    Replace,
    /// The image's, and nobody edits it: byte code.
    Overwrite,
}

/// Says what is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// What the image holds.
    Image,
    /// What the receipt says.
    Receipt,
    /// The beginning of what the image holds: somebody's copy was cut off.
    Beginning,
    /// Anything else.
    Other,
}

/// Says what is to be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is the image's already: the receipt shall say so.
    Adopt,
    /// Write the image's file.
    Put,
    /// Move the user's file aside, and write the image's.
    Replace,
    /// Remove it: the image has it no more, and nobody touched it.
    Remove,
    /// Move the user's file aside: the image has it no more.
    Aside,
    /// The user's file stays. The receipt's entry stays too, if there is one.
    Kept,
    /// The user's file stays, and the image has none any more.
    Forget,
    /// The user removed it: it stays so.
    StaysRemoved,
    /// It is gone, as it should be.
    Gone,
}

/// Decides one path.
pub fn decide(policy: Policy, in_image: bool, receipt: Option<&Put>, found: Found) -> Decision {
    use {Decision as D, Found as F, Policy as P};
    let is_unsettled = receipt.is_some_and(|put| put.is_unsettled);
    let has_receipt = receipt.is_some();
    if in_image {
        return match (policy, found) {
            (_, F::Image) => D::Adopt,
            (P::Keep, F::Nothing) if has_receipt && !is_unsettled => D::StaysRemoved,
            (_, F::Nothing | F::Receipt | F::Beginning) | (P::Overwrite, F::Other) => D::Put,
            (P::Keep, F::Other) => D::Kept,
            (P::Replace, F::Other) => D::Replace,
        };
    }
    match (policy, found) {
        (P::Keep, F::Nothing) if !is_unsettled => D::StaysRemoved,
        (_, F::Nothing) => D::Gone,
        (_, F::Receipt) | (P::Overwrite, _) => D::Remove,
        (P::Keep, _) => D::Forget,
        (P::Replace, _) => D::Aside,
    }
}

/// Holds a directory of the volume, and what is to be done in it.
#[derive(Debug)]
pub struct Target {
    /// The directory.
    pub directory: PathBuf,
    /// How messages name it: `custom_nodes/x`; empty for ComfyUI's own.
    pub label: String,
    /// Whose word counts.
    pub policy: Policy,
    /// Its receipt; empty where there was none.
    pub receipt: Receipt,
    /// What the image holds for it.
    pub entries: Entries,
    /// What is to be done, by path below the directory, in order.
    pub steps: Vec<(String, Decision)>,
}

impl Target {
    /// Looks at every path that the image or the receipt names, and decides. If the receipt
    /// `is_current`, of this very image, a file that nobody touched since is not read.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn plan(
        directory: PathBuf,
        label: String,
        policy: Policy,
        receipt: Receipt,
        entries: Entries,
        is_current: bool,
    ) -> Result<Self, Error> {
        let paths: BTreeSet<&String> = entries.keys().chain(receipt.files.keys()).collect();
        let mut steps = Vec::new();
        for path in paths {
            let (entry, put) = (entries.get(path), receipt.files.get(path));
            let found = find(&directory.join(path), entry, put, is_current)?;
            let decision = decide(policy_of(policy, path), entry.is_some(), put, found);
            steps.push((path.clone(), decision));
        }
        Ok(Self {
            directory,
            label,
            policy,
            receipt,
            entries,
            steps,
        })
    }

    /// How messages name a path.
    pub fn name(&self, path: &str) -> String {
        if self.label.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.label)
        }
    }

    /// Says how many bytes will be written.
    pub fn size_bytes(&self) -> u64 {
        self.steps
            .iter()
            .filter(|(_, decision)| matches!(decision, Decision::Put | Decision::Replace))
            .filter_map(|(path, _)| self.entries.get(path))
            .map(|entry| entry.size_bytes)
            .sum()
    }

    /// The paths with one of these decisions.
    pub fn with(&self, decisions: &[Decision]) -> impl Iterator<Item = &String> {
        self.steps
            .iter()
            .filter(move |(_, decision)| decisions.contains(decision))
            .map(|(path, _)| path)
    }
}

/// Byte code is written by Python too, so it never counts as edited.
fn policy_of(policy: Policy, path: &str) -> Policy {
    if path.starts_with("__pycache__/") || path.contains("/__pycache__/") {
        Policy::Overwrite
    } else {
        policy
    }
}

/// Says what is at a path. If the receipt `is_current`, what it says is what the image holds.
///
/// # Errors
///
/// It cannot be read.
pub fn find(
    path: &Path,
    entry: Option<&Entry>,
    put: Option<&Put>,
    is_current: bool,
) -> Result<Found, Error> {
    let Some(metadata) = look(path)? else {
        return Ok(Found::Nothing);
    };
    let is_link = metadata.is_symlink();
    if !(metadata.is_file() || is_link) {
        return Ok(Found::Other);
    }
    let size_bytes = metadata.len();
    let untouched = put.filter(|put| put.is_untouched(&metadata));
    if is_current && entry.is_some() && untouched.is_some() {
        return Ok(Found::Image);
    }
    // Neither side is read where sizes say enough.
    let like_image =
        entry.filter(|entry| entry.is_link == is_link && entry.size_bytes == size_bytes);
    let like_receipt = put.is_some_and(|put| {
        let coming = put.coming.as_ref().map(|coming| coming.size_bytes);
        put.size_bytes == size_bytes || coming == Some(size_bytes)
    });
    if like_image.is_none() && !like_receipt {
        let is_cut_off = match entry {
            Some(entry) if !is_link && !entry.is_link && size_bytes < entry.size_bytes => {
                is_beginning(path, &entry.source)?
            }
            _ => false,
        };
        let is_ours = put.is_none() && is_cut_off;
        return Ok(if is_ours {
            Found::Beginning
        } else {
            Found::Other
        });
    }
    let here = match untouched {
        Some(put) => put.sha256.clone(),
        None => digest(path, is_link)?,
    };
    if let Some(entry) = like_image {
        if digest(&entry.source, is_link)? == here {
            return Ok(Found::Image);
        }
    }
    let is_ours = put.is_some_and(|put| {
        let coming = put.coming.as_ref().map(|coming| &coming.sha256);
        put.sha256 == here || coming == Some(&here)
    });
    Ok(if is_ours {
        Found::Receipt
    } else {
        Found::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Put = Put {
        sha256: String::new(),
        size_bytes: 0,
        mtime_ns: 0,
        is_unsettled: false,
        coming: None,
    };

    #[test]
    fn ok_decisions() {
        use {Decision as D, Found as F, Policy as P};
        let going = Put {
            is_unsettled: true,
            ..PUT
        };
        for (policy, in_image, receipt, found, decision) in [
            // New files of the image.
            (P::Keep, true, None, F::Nothing, D::Put),
            (P::Replace, true, None, F::Nothing, D::Put),
            // Untouched, and what a killed start left.
            (P::Keep, true, Some(&PUT), F::Receipt, D::Put),
            (P::Keep, true, Some(&PUT), F::Image, D::Adopt),
            (P::Keep, true, None, F::Image, D::Adopt),
            (P::Keep, true, None, F::Beginning, D::Put),
            (P::Keep, false, Some(&PUT), F::Receipt, D::Remove),
            (P::Keep, false, Some(&going), F::Nothing, D::Gone),
            (P::Keep, true, Some(&going), F::Nothing, D::Put),
            // The user's.
            (P::Keep, true, Some(&PUT), F::Other, D::Kept),
            (P::Keep, true, None, F::Other, D::Kept),
            (P::Keep, true, Some(&PUT), F::Nothing, D::StaysRemoved),
            (P::Keep, false, Some(&PUT), F::Nothing, D::StaysRemoved),
            (P::Keep, false, Some(&PUT), F::Other, D::Forget),
            // ComfyUI itself is the image's.
            (P::Replace, true, Some(&PUT), F::Nothing, D::Put),
            (P::Replace, true, Some(&PUT), F::Other, D::Replace),
            (P::Replace, true, None, F::Other, D::Replace),
            (P::Replace, false, Some(&PUT), F::Other, D::Aside),
            (P::Replace, false, Some(&PUT), F::Receipt, D::Remove),
            (P::Replace, false, Some(&PUT), F::Nothing, D::Gone),
            // Byte code is nobody's.
            (P::Overwrite, true, Some(&PUT), F::Other, D::Put),
            (P::Overwrite, false, Some(&PUT), F::Other, D::Remove),
        ] {
            let name = format!("{policy:?} {in_image} {receipt:?} {found:?}");
            assert_eq!(decide(policy, in_image, receipt, found), decision, "{name}");
        }
    }

    #[test]
    fn ok_byte_code() {
        assert_eq!(
            policy_of(Policy::Keep, "__pycache__/a.pyc"),
            Policy::Overwrite
        );
        assert_eq!(
            policy_of(Policy::Keep, "a/__pycache__/b.pyc"),
            Policy::Overwrite
        );
        assert_eq!(policy_of(Policy::Keep, "a__pycache__/b"), Policy::Keep);
    }
}
