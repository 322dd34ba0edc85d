//! What a plan is compared with: an image, or a revision of the checkout.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use image_diff::{Blob, View};

use crate::ctx::Ctx;
use crate::document::{Against, AgainstKind};
use crate::known::Known;
use crate::operand::{Built, Operand, remote};
use crate::prospect::{self, prospect};
use crate::realize::Selection;
use crate::revision::{self, Revision};
use factory_base::error;
use factory_model::lock::{self, DebianLock, Diff, PythonLock};
use factory_nix::Nix;

/// What zstd makes of a blob, in hundredths: slim's 9.77 GB are 4.48 GB.
pub(crate) const COMPRESSED: u64 = 46;

/// What the checkout is compared with.
pub(crate) struct Old {
    pub(crate) against: Against,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) settings: Option<BTreeMap<String, String>>,
    pub(crate) locks: Option<Vec<Diff>>,
    /// Whether its registry has tar archives, and a push like the last one sends such.
    pub(crate) is_plain: bool,
}

/// Finds what the user compares with.
pub(crate) fn old(
    ctx: &Ctx,
    nix: &Nix,
    selection: &Selection,
    against: Option<&str>,
    known: &mut Known,
) -> Result<Old> {
    let Some(word) = against else {
        let label = selection.variant.label();
        let built = Built::new(ctx, &label, &selection.layer.to_string());
        if let Some(stored) = built.read(ctx)? {
            let name = format!("{built}, built here last");
            let operand = Operand::in_store(ctx, name, stored)?;
            return Ok(Old::image(operand, AgainstKind::Built, known));
        }
        let Some(commit) = revision::commit(ctx, "HEAD")? else {
            return Err(
                error::bad_input("nothing was built here, and this is no git checkout")
                    .hint("say what to compare with: `--against HOST/NAME:TAG`")
                    .into(),
            );
        };
        return Old::revision(ctx, nix, selection, ("HEAD", commit), known);
    };
    if remote(word)?.is_none()
        && let Some(commit) = revision::commit(ctx, word)?
    {
        return Old::revision(ctx, nix, selection, (word, commit), known);
    }
    let operand = Operand::open(ctx, word);
    let operand = operand
        .with_context(|| format!("`--against {word}` is no revision of git, and no image"))?;
    Ok(Old::image(operand, AgainstKind::Image, known))
}

impl Old {
    fn image(mut operand: Operand<'_>, kind: AgainstKind, known: &mut Known) -> Self {
        if let Some(stored) = operand.stored() {
            known.learn_image(&stored.image, stored.store_root.as_deref());
        }
        operand.view.complete(&known.blobs);
        let is_plain = kind == AgainstKind::Image && operand.is_plain();
        let share = if is_plain { 100 } else { COMPRESSED };
        known.sizes.learn_blobs(&operand.view.blobs, share);
        let View {
            manifest,
            settings,
            mut blobs,
            ..
        } = operand.view;
        for blob in &mut blobs {
            let compressed = blob
                .diff_id
                .and_then(|diff_id| known.compressed.get(&diff_id));
            blob.stored_bytes = blob.stored_bytes.or(compressed.copied());
        }
        Self {
            against: Against {
                kind,
                name: operand.name,
                id: manifest.to_string(),
            },
            blobs,
            settings: Some(settings),
            locks: None,
            is_plain,
        }
    }

    fn revision(
        ctx: &Ctx,
        nix: &Nix,
        selection: &Selection,
        (word, commit): (&str, String),
        known: &mut Known,
    ) -> Result<Self> {
        let revision = Revision::check_out(ctx, commit)?;
        let plan = selection.variant.plan_of(ctx, nix, revision.root());
        let plan =
            plan.with_context(|| format!("`{word}` cannot be evaluated as this checkout is"))?;
        prospect::learn(nix, &plan, known)?;
        let prospect = prospect(nix, &plan, &selection.layer, known)?;
        Ok(Self {
            locks: Some(revision.lock_diffs(ctx, &selection.variant)?),
            against: Against {
                kind: AgainstKind::Revision,
                name: word.to_owned(),
                id: revision.commit,
            },
            blobs: prospect.blobs,
            settings: prospect.settings,
            is_plain: false,
        })
    }
}

/// The sizes of wheels and debs, for packages that were never built here.
pub(crate) fn learn_archives(ctx: &Ctx, selection: &Selection, known: &mut Known) -> Result<()> {
    let locks = selection.variant.system.below(&ctx.locks());
    let python = locks.join(format!("python/{}.toml", selection.variant.name));
    if let Some(lock) = read::<PythonLock>(&python)? {
        for package in &lock.packages {
            known
                .sizes
                .learn_archive(&package.name, package.size.unwrap_or(0));
        }
    }
    for layer in factory_resolve::layers(ctx)?.iter() {
        if layer.debian.is_none() {
            continue;
        }
        let file = locks.join(format!("debian/{}.toml", layer.name));
        if let Some(lock) = read::<DebianLock>(&file)? {
            for package in &lock.packages {
                known.sizes.learn_archive(&package.name, package.size);
            }
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    if !file.exists() {
        return Ok(None);
    }
    let sealed = lock::parse(&fs_err::read_to_string(file)?).map_err(|source| {
        error::bad_input(format!("cannot read `{}`: {source}", file.display()))
    })?;
    Ok(Some(sealed.lock))
}
