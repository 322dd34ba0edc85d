//! `update-locks`: reads the lists, resolves what changed, writes the locks, prints the difference.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::cli::UpdateLocksArgs;
use crate::ctx::Ctx;
use crate::lock::{self, Diff};
use crate::runlock::RunLock;
use crate::{debian, error, python};

/// One lock as it should be.
struct Update {
    path: PathBuf,
    text: String,
    diff: Diff,
    is_written: bool,
}

pub(crate) fn run(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<()> {
    if args.check {
        return check(ctx, args);
    }
    let _lock = RunLock::take(ctx)?;
    let mut diffs = Vec::new();
    // Each group is written when it is done, so that an interrupted run keeps its work.
    for updates in [debian_updates, sources_update, python_updates] {
        for update in updates(ctx, args)? {
            if update.is_written && !args.dry_run {
                crate::fs::write_atomic(&update.path, update.text.as_bytes())?;
            }
            diffs.push(update.diff);
        }
    }
    report(ctx, args, &diffs)
}

fn debian_updates(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<Vec<Update>> {
    let options = debian::Options {
        upgrade: args.upgrade,
        upgrade_packages: args.upgrade_package.iter().cloned().collect(),
        allow_expired: args.allow_expired.clone(),
    };
    debian::update(ctx, &options)?
        .into_iter()
        .map(|update| {
            let name = format!("debian/{}", update.name);
            let old = update.old.as_ref().map(lock::DebianLock::entries);
            Ok(Update {
                path: ctx.locks().join(format!("{name}.toml")),
                text: update.text()?,
                diff: lock::diff(&name, old.as_deref(), &update.new.entries()),
                is_written: update.old.as_ref() != Some(&update.new),
            })
        })
        .collect()
}

fn sources_update(ctx: &Ctx, _args: &UpdateLocksArgs) -> Result<Vec<Update>> {
    let (old, new) = python::update_sources(ctx)?;
    let is_written = old.as_ref() != Some(&new);
    let diff = Diff {
        lock: "sources".to_owned(),
        is_new: old.is_none(),
        ..Diff::default()
    };
    Ok(vec![Update {
        path: ctx.locks().join("sources.toml"),
        text: new,
        diff,
        is_written,
    }])
}

fn python_updates(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<Vec<Update>> {
    let options = python::Options {
        variants: args.variants.clone(),
        upgrade: args.upgrade,
        upgrade_packages: args.upgrade_package.iter().cloned().collect(),
    };
    python::update(ctx, &options)?
        .into_iter()
        .map(|update| {
            let name = format!("python/{}", update.name);
            let old = update.old.as_ref().map(lock::PythonLock::entries);
            Ok(Update {
                path: ctx.locks().join(format!("{name}.toml")),
                text: update.text()?,
                diff: lock::diff(&name, old.as_deref(), &update.new.entries()),
                is_written: update.old.as_ref() != Some(&update.new),
            })
        })
        .collect()
}

fn report(ctx: &Ctx, args: &UpdateLocksArgs, diffs: &[Diff]) -> Result<()> {
    let changed: Vec<&Diff> = diffs.iter().filter(|diff| !diff.is_empty()).collect();
    if ctx.json {
        let document = json!({
            "schema_version": 1,
            "dry_run": args.dry_run,
            "locks": changed,
        });
        ctx.ui.data(document.to_string())?;
        return Ok(());
    }
    for diff in &changed {
        ctx.ui.data(diff.to_string())?;
    }
    if changed.is_empty() {
        ctx.ui.status("no package changes");
    } else if args.dry_run {
        ctx.ui.status("nothing was written (`--dry-run`)");
    }
    Ok(())
}

fn check(ctx: &Ctx, args: &UpdateLocksArgs) -> Result<()> {
    let mut stale = debian::check(ctx)?;
    if !python::check_sources(ctx)? {
        stale.push("sources".to_owned());
    }
    stale.extend(python::check(ctx, &args.variants)?);
    if ctx.json {
        ctx.ui
            .data(json!({ "schema_version": 1, "stale": stale }).to_string())?;
    }
    if stale.is_empty() {
        ctx.ui.status("lists and locks agree");
        return Ok(());
    }
    let mut message = match stale.len() {
        1 => "one lock does not belong to the lists as they are".to_owned(),
        n => format!("{n} locks do not belong to the lists as they are"),
    };
    for name in &stale {
        message.push_str(&format!("\n  package-lists/locks/{name}.toml"));
    }
    Err(error::not_right(message)
        .hint("run `cargo xtask update-locks` and commit the locks with the lists")
        .into())
}
