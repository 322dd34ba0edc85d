//! `diff`: what differs between two images, wherever they are.

use anyhow::Result;
use image_diff::{
    Blob, FileDiff, compare_blobs, compare_files, compare_packages, compare_settings,
    differing_blobs, packages_of,
};

use crate::changes;
use crate::cli::DiffArgs;
use crate::ctx::Ctx;
use crate::document::{self, ComparedImage, Diff};
use crate::exit::Passed;
use crate::known::Known;
use crate::operand::Operand;
use crate::transfer::Transfer;
use factory_base::text;

/// Without `--files`, so many files are shown,
const MOST: usize = 20;
/// and not more than this is read for it: some seconds.
const MOST_BYTES: u64 = 4_000_000_000;

pub(super) fn run(ctx: &Ctx, args: &DiffArgs) -> Result<()> {
    let mut old = Operand::open(ctx, &args.old)?;
    let mut new = Operand::open(ctx, &args.new)?;
    let packages = |old: &Operand<'_>, new: &Operand<'_>| {
        let differing = Differing::of(old, new);
        packages_of(&differing.old).zip(packages_of(&differing.new))
    };
    if packages(&old, &new).is_none() {
        let known = Known::read(ctx)?;
        old.view.complete(&known.blobs);
        new.view.complete(&known.blobs);
    }
    let packages = packages(&old, &new).map(|(old, new)| compare_packages(old, new));
    let blobs = compare_blobs(&old.view.blobs, &new.view.blobs);
    let settings = compare_settings(&old.view.settings, &new.view.settings);
    let differing = Differing::of(&old, &new);
    let is_quick = old.is_local() && new.is_local() && differing.n_bytes() < MOST_BYTES;
    let is_read = args.files || is_quick;
    let files = match is_read && !blobs.changes.is_empty() {
        true => Some(differing.files(ctx, &old, &new, args.files)?),
        false => blobs.changes.is_empty().then(FileDiff::default),
    };
    let diff = Diff {
        is_same: settings.is_empty() && blobs.changes.is_empty(),
        old: image(&old),
        new: image(&new),
        settings,
        packages,
        blobs,
        files,
    };
    if ctx.json {
        document::print(ctx, &diff)?;
    } else {
        print(ctx, &diff, differing.n_bytes())?;
    }
    if args.exit_code && !diff.is_same {
        return Err(Passed(1).into());
    }
    Ok(())
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

fn print(ctx: &Ctx, diff: &Diff, n_bytes: u64) -> Result<()> {
    let images = [("-", &diff.old), ("+", &diff.new)];
    for (sign, image) in images {
        ctx.ui.data(format!(
            "{sign} {}, {} in {}\n  manifest {}\n  config   {}",
            image.name,
            text::bytes(image.size_bytes),
            text::count(image.n_blobs, "blob"),
            image.manifest_digest,
            image.config_digest
        ))?;
    }
    ctx.ui.data("")?;
    if diff.is_same {
        let same = match diff.old.manifest_digest == diff.new.manifest_digest {
            true => "the same image",
            false => "the same image, described or compressed otherwise",
        };
        return Ok(ctx.ui.data(same)?);
    }
    ctx.ui.data(changes::settings(&diff.settings))?;
    match &diff.packages {
        Some(packages) => ctx.ui.data(changes::packages(packages))?,
        None => ctx.ui.data("packages  not recorded in one of the images")?,
    }
    ctx.ui.data(changes::blobs(&diff.blobs))?;
    match &diff.files {
        Some(files) => ctx.ui.data(changes::files(files))?,
        None => ctx.ui.data(format!(
            "files     not read; `--files` reads {} for it",
            text::bytes(n_bytes)
        ))?,
    }
    Ok(())
}
