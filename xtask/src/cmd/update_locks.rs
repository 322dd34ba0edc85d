//! `update-locks`: reads the lists, resolves what changed, writes the locks, prints the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::de::DeserializeOwned;

use crate::cli::UpdateLocksArgs;
use crate::ctx::Ctx;
use crate::document::{self, CheckedLocks, UpdatedLocks};
use crate::lock_diff;
use factory_base::error;
use factory_base::fs::Lock;
use factory_model::lock::{self, DebianLock, Diff, Entry, PythonLock};
use factory_model::nearest::nearest_in_words;
use factory_model::system::System;
use factory_nix::Nix;
use factory_resolve::Checked;
use factory_resolve::debian;
use factory_resolve::python;

/// One lock as it should be.
struct Update {
    path: PathBuf,
    text: String,
    diff: Diff,
    is_written: bool,
}

impl Update {
    /// `name` is the path below `package-lists/locks`, without `.toml`.
    fn new(ctx: &Ctx, name: &str, text: String, diff: Diff) -> Result<Self> {
        let path = ctx.locks().join(format!("{name}.toml"));
        // An edited lock is written again, also when the edit changed nothing that is read.
        let is_written = !path.exists() || fs_err::read_to_string(&path)? != text;
        Ok(Self {
            path,
            text,
            diff,
            is_written,
        })
    }
}

pub(crate) fn run(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<()> {
    if args.check {
        return check(ctx, args);
    }
    let systems = factory_resolve::systems_named(ctx, &args.systems)?;
    check_names(ctx, &systems, &args.upgrade_package)?;
    let _lock = Lock::of_update(ctx)?;
    // apt and uv wait for different servers and share nothing, so they run side by side.
    let (debian, python) = std::thread::scope(|scope| {
        let debian = scope.spawn(|| write(args, debian_updates(ctx, args, &systems)?));
        let python = sources_update(ctx)
            .and_then(|updates| write(args, updates))
            .and_then(|mut diffs| {
                diffs.extend(write(args, python_updates(ctx, args, &systems)?)?);
                Ok(diffs)
            });
        (debian.join(), python)
    });
    let debian = debian.map_err(|_| anyhow::anyhow!("the thread of apt panicked"))?;
    // Two independent faults are reported together; what one half finished stays written.
    if let (Err(first), Err(second)) = (&debian, &python) {
        let kind = error::kind_of(first).max(error::kind_of(second));
        let mut failure = error::Failure::new(kind, format!("{first:#}\n{second:#}"));
        for hint in error::hints_of(first)
            .into_iter()
            .chain(error::hints_of(second))
        {
            failure = failure.hint(hint);
        }
        return Err(failure.into());
    }
    let mut diffs = debian?;
    diffs.extend(python?);
    report(ctx, args, diffs)
}

/// `--upgrade-package` must name something that is locked; a slip would change nothing, silently.
fn check_names(ctx: &Ctx, systems: &[System], names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut known = BTreeSet::new();
    for system in systems {
        let locks = system.below(&ctx.locks());
        known.extend(names_in(&locks.join("debian"), DebianLock::entries)?);
        known.extend(names_in(&locks.join("python"), PythonLock::entries)?);
    }
    let Some(unknown) = names.iter().find(|name| !known.contains(*name)) else {
        return Ok(());
    };
    let near = nearest_in_words(unknown, known.iter().map(String::as_str));
    Err(error::bad_input(format!("no lock has a package `{unknown}`{near}")).into())
}

/// What the locks of one kind and system hold.
fn names_in<T: DeserializeOwned>(
    directory: &Path,
    entries: impl Fn(&T) -> Vec<Entry>,
) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    if !directory.is_dir() {
        return Ok(names);
    }
    for file in fs_err::read_dir(directory)? {
        let path = file?.path();
        let text = fs_err::read_to_string(&path)?;
        let sealed = lock::parse::<T>(&text).map_err(|source| {
            error::bad_input(format!("cannot read `{}`: {source}", path.display()))
        })?;
        names.extend(entries(&sealed.lock).into_iter().map(|entry| entry.name));
    }
    Ok(names)
}

fn write(args: &UpdateLocksArgs, updates: Vec<Update>) -> Result<Vec<Diff>> {
    let mut diffs = Vec::new();
    for update in updates {
        if update.is_written && !args.dry_run {
            factory_base::fs::write_atomic(&update.path, update.text.as_bytes())?;
        }
        diffs.push(update.diff);
    }
    Ok(diffs)
}

fn debian_updates(ctx: &Ctx, args: &UpdateLocksArgs, systems: &[System]) -> Result<Vec<Update>> {
    let mut updates = Vec::new();
    for system in systems {
        updates.extend(debian_updates_of(ctx, args, system)?);
    }
    Ok(updates)
}

fn debian_updates_of(ctx: &Ctx, args: &UpdateLocksArgs, system: &System) -> Result<Vec<Update>> {
    let options = debian::Options {
        upgrade: args.upgrade,
        upgrade_packages: args.upgrade_package.iter().cloned().collect(),
        allow_expired: args.allow_expired.clone(),
    };
    let roots = debian::update(ctx, system, &options)?;
    let mut updates = Vec::new();
    if let Some(seed) = roots.iter().find(|update| update.name == "seed") {
        let (old, new) = debian::update_seed(ctx, system, &seed.new)?;
        let name = system.lock_name("seed");
        let diff = Diff {
            lock: name.clone(),
            is_new: old.is_none(),
            ..Diff::default()
        };
        updates.push(Update::new(ctx, &name, lock::text(&new)?, diff)?);
    }
    let roots: Result<Vec<Update>> = roots
        .into_iter()
        .map(|update| {
            let name = system.lock_name(&format!("debian/{}", update.name));
            let old = update.old.as_ref().map(lock::DebianLock::entries);
            let diff = lock::diff(&name, old.as_deref(), &update.new.entries());
            Update::new(ctx, &name, lock::text(&update.new)?, diff)
        })
        .collect();
    updates.extend(roots?);
    Ok(updates)
}

fn sources_update(ctx: &Ctx) -> Result<Vec<Update>> {
    let python::SourcesUpdate { old, new } = python::update_sources(ctx)?;
    let old = old.as_ref().map(lock::SourcesLock::entries);
    let diff = lock::diff("sources", old.as_deref(), &new.entries());
    let update = Update::new(ctx, "sources", lock::text(&new)?, diff)?;
    Ok(vec![update])
}

fn python_updates(ctx: &Ctx, args: &UpdateLocksArgs, systems: &[System]) -> Result<Vec<Update>> {
    let options = python::Options {
        systems: systems.to_vec(),
        variants: args.variants.clone(),
        upgrade: args.upgrade,
        upgrade_packages: args.upgrade_package.iter().cloned().collect(),
        store: Nix::store_paths(ctx),
    };
    python::update(ctx, &options)?
        .into_iter()
        .map(|update| {
            let name = &update.lock_name;
            let old = update.old.as_ref().map(lock::PythonLock::entries);
            let diff = lock::diff(name, old.as_deref(), &update.new.entries());
            Update::new(ctx, name, lock::text(&update.new)?, diff)
        })
        .collect()
}

fn report(ctx: &Ctx, args: &UpdateLocksArgs, mut changed: Vec<Diff>) -> Result<()> {
    changed.retain(|diff| !diff.is_empty());
    if ctx.json {
        let updated = UpdatedLocks {
            dry_run: args.dry_run,
            locks: changed,
        };
        return document::print(ctx, &updated);
    }
    for diff in &changed {
        ctx.ui.data(lock_diff::lines(diff))?;
    }
    if changed.is_empty() {
        ctx.ui.status("no package changes");
    } else if args.dry_run {
        ctx.ui.status("nothing was written (`--dry-run`)");
    }
    Ok(())
}

fn check(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<()> {
    let checked = compare(ctx, args)?;
    if ctx.json {
        document::print(ctx, &checked)?;
    }
    match failure(&checked) {
        None => {
            ctx.ui.status("lists and locks agree");
            Ok(())
        }
        Some(failure) => Err(failure.into()),
    }
}

/// Compares lists and locks, without network.
fn compare(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<CheckedLocks> {
    let systems = factory_resolve::systems_named(ctx, &args.systems)?;
    let mut checked = Checked::default();
    for system in &systems {
        checked.extend(debian::check(ctx, system)?);
        checked.extend(debian::check_seed(ctx, system)?);
    }
    checked.extend(python::check_sources(ctx)?);
    checked.extend(python::check(ctx, &systems, &args.variants)?);
    let Checked { stale, edited } = checked;
    let mut packages = BTreeMap::new();
    for system in factory_resolve::systems(ctx)?.iter() {
        let of_image = debian::image_packages(ctx, system)?;
        packages.insert(system.name.clone(), of_image);
    }
    let exclusions = python::check_exclusions(ctx, &packages, &stale)?;
    Ok(CheckedLocks {
        stale,
        edited,
        exclusions,
    })
}

/// All that is not right, with what to do about each kind.
fn failure(checked: &CheckedLocks) -> Option<error::Failure> {
    let mut messages = Vec::new();
    let mut hints = Vec::new();
    let file = |name: &String| format!("package-lists/locks/{name}.toml");
    if !checked.stale.is_empty() {
        let head = match checked.stale.len() {
            1 => "one lock does not belong to the lists as they are".to_owned(),
            n => format!("{n} locks do not belong to the lists as they are"),
        };
        messages.push(with_lines(head, checked.stale.iter().map(file)));
        hints.push("run `cargo xtask update-locks` and commit the locks with the lists");
    }
    if !checked.edited.is_empty() {
        let head = "these locks are not as `update-locks` wrote them".to_owned();
        messages.push(with_lines(head, checked.edited.iter().map(file)));
        hints.push("what a lock should hold is said in the lists: restore it with `git checkout`, or resolve it again with `cargo xtask update-locks`");
    }
    if !checked.exclusions.is_empty() {
        let head = "requests, locks and `package-lists/exclusions.toml` do not agree".to_owned();
        messages.push(with_lines(head, checked.exclusions.iter().cloned()));
        hints.push("what a variant lacks has an entry in `package-lists/exclusions.toml` with reason and way back; what it has, has none");
    }
    if messages.is_empty() {
        return None;
    }
    let failure = error::not_right(messages.join("\n"));
    Some(hints.into_iter().fold(failure, error::Failure::hint))
}

fn with_lines(mut head: String, lines: impl IntoIterator<Item = String>) -> String {
    for line in lines {
        head.push_str("\n  ");
        head.push_str(&line);
    }
    head
}
