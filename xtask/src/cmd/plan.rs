//! `plan`: what a build would change, before anything is built.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use image_diff::{
    Blob, BlobDiff, BlobSize, Certainty, View, compare_blobs, compare_packages, compare_settings,
    differing_blobs, packages_of,
};

use crate::changes;
use crate::cli::PlanArgs;
use crate::ctx::Ctx;
use crate::document::{self, Against, AgainstKind, Moved, Planned};
use crate::known::Known;
use crate::operand::{Built, Operand, remote};
use crate::prospect::{self, Prospect, prospect};
use crate::realize::{self, Selection};
use crate::revision::{self, Revision};
use crate::{dry_run, estimate, lock_diff};
use factory_base::error;
use factory_base::text;
use factory_model::lock::{self, DebianLock, Diff, PythonLock};
use factory_nix::{Nix, Plan};

/// What zstd makes of a blob, in hundredths: slim's 9.77 GB are 4.48 GB.
const COMPRESSED: u64 = 46;

/// What the checkout is compared with.
struct Old {
    against: Against,
    blobs: Vec<Blob>,
    settings: Option<BTreeMap<String, String>>,
    locks: Option<Vec<Diff>>,
    /// Whether its registry has tar archives, and a push like the last one sends such.
    is_plain: bool,
}

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

/// Finds what the user compares with.
fn old(
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
    fn image(mut operand: Operand<'_>, kind: AgainstKind, known: &Known) -> Self {
        operand.view.complete(&known.blobs);
        let is_plain = kind == AgainstKind::Image && operand.is_plain();
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
        let plan = selection.variant.plan_of(ctx, nix, revision.root())?;
        prospect::learn(nix, &plan, known)?;
        let prospect = prospect(nix, &plan, &selection.layer, known)?;
        Ok(Self {
            locks: Some(revision.lock_diffs(ctx, &selection.variant.name)?),
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
fn learn_archives(ctx: &Ctx, selection: &Selection, known: &mut Known) -> Result<()> {
    let python = ctx
        .locks()
        .join(format!("python/{}.toml", selection.variant.name));
    if let Some(lock) = read::<PythonLock>(&python)? {
        for package in &lock.packages {
            known
                .sizes
                .learn_archive(&package.name, package.size.unwrap_or(0));
        }
    }
    for layer in factory_resolve::layers(ctx)?.iter() {
        let Some(root) = &layer.debian else { continue };
        let file = ctx.locks().join(format!("debian/{}.toml", layer.name));
        if let Some(lock) = read::<DebianLock>(&file)? {
            for package in &lock.packages {
                known
                    .sizes
                    .learn_archive(&format!("debian-{root}"), package.size);
            }
        }
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(file: &std::path::Path) -> Result<Option<T>> {
    if !file.exists() {
        return Ok(None);
    }
    let sealed = lock::parse(&fs_err::read_to_string(file)?).map_err(|source| {
        error::bad_input(format!("cannot read `{}`: {source}", file.display()))
    })?;
    Ok(Some(sealed.lock))
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
