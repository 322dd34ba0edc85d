//! What differs between two images, as a document: what `diff` prints and `report` draws.

use anyhow::Result;
use image_diff::{
    Blob, FileDiff, compare_blobs, compare_files, compare_packages, compare_settings,
    differing_blobs, packages_of,
};

use crate::ctx::Ctx;
use crate::document::{ComparedImage, Diff};
use crate::known::Known;
use crate::operand::Operand;
use crate::transfer::Transfer;
use factory_base::text;

/// Unless all are asked for, so many files are shown,
const MOST: usize = 20;
/// and not more than this is read for it: some seconds.
const MOST_BYTES: u64 = 4_000_000_000;

/// Compares two images; with the bytes that reading all of their differing files takes.
///
/// # Errors
/// A blob is not there, or is not what its digest says.
pub(crate) fn compare(
    ctx: &Ctx,
    old: &mut Operand<'_>,
    new: &mut Operand<'_>,
    all_files: bool,
) -> Result<(Diff, u64)> {
    let packages = |old: &Operand<'_>, new: &Operand<'_>| {
        let differing = Differing::of(old, new);
        packages_of(&differing.old).zip(packages_of(&differing.new))
    };
    if packages(old, new).is_none() {
        let known = Known::read(ctx)?;
        old.view.complete(&known.blobs);
        new.view.complete(&known.blobs);
    }
    let packages = packages(old, new).map(|(old, new)| compare_packages(old, new));
    let blobs = compare_blobs(&old.view.blobs, &new.view.blobs);
    let settings = compare_settings(&old.view.settings, &new.view.settings);
    let differing = Differing::of(old, new);
    let is_quick = old.is_local() && new.is_local() && differing.n_bytes() < MOST_BYTES;
    let is_read = all_files || is_quick;
    let files = match is_read && !blobs.changes.is_empty() {
        true => Some(differing.files(ctx, old, new, all_files)?),
        false => blobs.changes.is_empty().then(FileDiff::default),
    };
    let diff = Diff {
        is_same: settings.is_empty() && blobs.changes.is_empty(),
        old: image(old),
        new: image(new),
        settings,
        packages,
        blobs,
        files,
    };
    Ok((diff, differing.n_bytes()))
}

fn image(operand: &Operand<'_>) -> ComparedImage {
    let view = &operand.view;
    ComparedImage {
        name: operand.name.clone(),
        manifest_digest: view.manifest.to_string(),
        config_digest: view.config.to_string(),
        n_blobs: view.blobs.len(),
        size_bytes: Operand::size_of(&view.blobs),
    }
}

/// The blobs that only one of two images has.
struct Differing {
    old: Vec<Blob>,
    new: Vec<Blob>,
}

impl Differing {
    fn of(old: &Operand<'_>, new: &Operand<'_>) -> Self {
        let (old, new) = differing_blobs(&old.view.blobs, &new.view.blobs);
        Self { old, new }
    }

    fn n_bytes(&self) -> u64 {
        Operand::size_of(&self.old) + Operand::size_of(&self.new)
    }

    fn files(
        &self,
        ctx: &Ctx,
        old: &Operand<'_>,
        new: &Operand<'_>,
        all: bool,
    ) -> Result<FileDiff> {
        let n_blobs = text::count(self.old.len() + self.new.len(), "blob");
        let transfer = Transfer::start(&ctx.ui, "Reading", &n_blobs, self.n_bytes());
        let progress = |n_bytes| transfer.advance(n_bytes);
        let old = old.list(&self.old, &progress)?;
        let new = new.list(&self.new, &progress)?;
        transfer.finish();
        Ok(compare_files(
            &old,
            &new,
            if all { usize::MAX } else { MOST },
        ))
    }
}
