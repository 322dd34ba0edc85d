//! `plan`: what a build would change, before anything is built.

use anyhow::Result;
use image_diff::{
    Blob, BlobDiff, BlobSize, Certainty, compare_blobs, compare_packages, compare_settings,
    differing_blobs, packages_of,
};

use crate::baseline::{COMPRESSED, Old, learn_archives, old};
use crate::changes;
use crate::cli::PlanArgs;
use crate::ctx::Ctx;
use crate::document::{self, AgainstKind, Moved, Planned};
use crate::known::Known;
use crate::prospect::{self, Prospect, prospect};
use crate::realize::{self, Selection};
use crate::{dry_run, estimate, lock_diff};
use factory_base::text;
use factory_model::lock::Diff;
use factory_nix::{Nix, Plan};

pub(super) fn run(ctx: &Ctx, args: &PlanArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let nix = Nix::find_or_provide(ctx)?;
    let plan = selection.variant.plan(ctx, &nix)?;
    let mut known = Known::read(ctx)?;
    learn_archives(ctx, &selection, &mut known)?;
    prospect::learn(&nix, &plan, &mut known)?;
    let old = old(ctx, &nix, &selection, args.against.as_deref(), &mut known)?;
    let new = prospect(&nix, &plan, &selection.layer, &known)?;
    let planned = planned(ctx, &nix, &plan, &selection, old, new)?;
    if ctx.json {
        return document::print(ctx, &planned);
    }
    print(ctx, &planned)
}

fn planned(
    ctx: &Ctx,
    nix: &Nix,
    plan: &Plan,
    selection: &Selection,
    old: Old,
    new: Prospect,
) -> Result<Planned> {
    let work = dry_run::work(ctx, nix, plan, selection)?;
    let unknown: Vec<String> = new.unknown_layers.iter().map(ToString::to_string).collect();
    // Of what is not known before a build, nothing is said to be gone.
    let is_known = |blob: &Blob| {
        blob.layer
            .as_ref()
            .is_none_or(|layer| !unknown.contains(layer))
    };
    let blobs: Vec<Blob> = old.blobs.into_iter().filter(is_known).collect();
    let (only_old, only_new) = differing_blobs(&blobs, &new.blobs);
    let packages = packages_of(&only_old).zip(packages_of(&only_new));
    let blobs = compare_blobs(&blobs, &new.blobs);
    let settings = old.settings.zip(new.settings);
    let share = if old.is_plain { 100 } else { COMPRESSED };
    let known = work.sources.iter().filter_map(|source| source.size_bytes);
    Ok(Planned {
        variant: work.variant,
        layer: work.layer,
        against: old.against,
        settings: settings.map(|(old, new)| compare_settings(&old, &new)),
        packages: packages.map(|(old, new)| compare_packages(old, new)),
        locks: old.locks,
        moves: moved(&blobs, Certainty::Certain, share),
        may_move: moved(&blobs, Certainty::Possible, share),
        blobs,
        unknown_layers: unknown,
        fetch_bytes: known.sum(),
        builds: work.builds,
        sources: work.sources,
        estimate: work.estimate,
    })
}

/// What the new blobs are for a registry.
fn moved(blobs: &BlobDiff, certainty: Certainty, share: u64) -> Moved {
    let mut moved = Moved::default();
    for (change, now) in blobs.new_blobs() {
        if change.certainty != certainty {
            continue;
        }
        moved.n_blobs += 1;
        match compressed(change.was.as_ref(), now, share) {
            Some((n_bytes, is_estimate)) => {
                moved.size_bytes += n_bytes;
                moved.is_estimate |= is_estimate;
            }
            None => moved.n_unknown += 1,
        }
    }
    moved
}

/// What a blob is for a registry, and whether that is a guess: by what the blob took whose place
/// it takes, else by what zstd makes of blobs.
fn compressed(was: Option<&BlobSize>, now: &BlobSize, share: u64) -> Option<(u64, bool)> {
    if let Some(n_bytes) = now.stored_bytes {
        return Some((n_bytes, now.is_estimate));
    }
    let Some(tar_bytes) = now.tar_bytes else {
        // The blob of before is a better guess than none.
        return Some((was?.stored_bytes?, true));
    };
    if share == 100 {
        return Some((tar_bytes, now.is_estimate));
    }
    let ratio = was.and_then(|was| Some((was.stored_bytes?, was.tar_bytes.filter(|n| *n > 0)?)));
    let (stored, tar) = ratio.unwrap_or((share, 100));
    let n_bytes = u128::from(tar_bytes) * u128::from(stored) / u128::from(tar);
    Some((u64::try_from(n_bytes).unwrap_or(u64::MAX), true))
}

fn print(ctx: &Ctx, planned: &Planned) -> Result<()> {
    let against = &planned.against;
    let id = match against.kind {
        AgainstKind::Revision => against.id.get(..12).unwrap_or(&against.id),
        _ => changes::short(&against.id),
    };
    let data = |line: String| ctx.ui.data(line);
    data(format!(
        "{} up to {}, against {} ({id})\n",
        planned.variant, planned.layer, against.name
    ))?;
    match &planned.settings {
        Some(settings) => data(changes::settings(settings))?,
        None => data("settings  not known before the build".to_owned())?,
    }
    match &planned.packages {
        Some(packages) => data(changes::packages(packages))?,
        None => data("packages  not recorded in that image".to_owned())?,
    }
    if let Some(locks) = planned
        .locks
        .as_deref()
        .map(beside_the_image)
        .filter(|locks| !locks.is_empty())
    {
        let lines: Vec<String> = locks.iter().map(lock_diff::lines).collect();
        data(changes::section(
            "locks     also differ in".to_owned(),
            lines.join("\n"),
        ))?;
    }
    data(changes::blobs(&planned.blobs))?;
    if !planned.unknown_layers.is_empty() {
        let layers = planned.unknown_layers.join(", ");
        data(format!(
            "          not known before they are built: those of {layers}"
        ))?;
    }
    let fetched = match planned.sources.len() {
        0 => "nothing".to_owned(),
        n => format!(
            "{}, {}",
            text::count(n, "source"),
            text::bytes(planned.fetch_bytes)
        ),
    };
    let built = match planned.estimate.n_builds {
        0 => "nothing".to_owned(),
        _ => estimate::text(planned.estimate),
    };
    let (pushed, pulled) = match planned.moves.n_blobs + planned.may_move.n_blobs {
        0 => ("nothing".to_owned(), "nothing"),
        _ => (pushed(planned), "as much, for who has the old image"),
    };
    data(format!(
        "\nto fetch  {fetched}\nto build  {built}\nto push   {pushed}\nto pull   {pulled}"
    ))?;
    Ok(())
}

/// What locks say that no package of the image does: other files of the same version, and what
/// only builds use.
fn beside_the_image(locks: &[Diff]) -> Vec<Diff> {
    let is_of_builds = |name: &str| name == "sources" || name.contains("/build");
    let beside = locks.iter().map(|diff| match is_of_builds(&diff.lock) {
        true => diff.clone(),
        false => Diff {
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            moved: Vec::new(),
            ..diff.clone()
        },
    });
    beside.filter(|diff| !diff.is_empty()).collect()
}

fn pushed(planned: &Planned) -> String {
    let of = |moved: &Moved| {
        let about = if moved.is_estimate { "about " } else { "" };
        let unknown = match moved.n_unknown {
            0 => String::new(),
            n => format!(" ({n} of unknown size)"),
        };
        let bytes = text::bytes(moved.size_bytes);
        format!(
            "{about}{bytes} in {}{unknown}",
            text::count(moved.n_blobs, "blob")
        )
    };
    match (planned.moves.n_blobs, planned.may_move.n_blobs) {
        (_, 0) => of(&planned.moves),
        (0, _) => format!("at most {}", of(&planned.may_move)),
        _ => format!(
            "{}, and at most {}",
            of(&planned.moves),
            of(&planned.may_move)
        ),
    }
}
