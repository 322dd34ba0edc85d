//! Solves the roots in order and makes their locks; keeps what is locked unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::Result;
use deb_unpack::Archive;

use super::apt::{Apt, Chosen};
use super::error::Error;
use super::index::{Index, Versions};
use super::inputs::{Inputs, Options, list_file};
use super::preferences::preferences;
use super::snapshot;
use crate::committed::Checked;
use crate::context::Context;
use crate::error::Error as ListError;
use factory_base::error::{Explain as _, Failure};
use factory_base::text;
use factory_model::layer::LayerName;
use factory_model::list::{Fault, Faults, Line};
use factory_model::lock::{DebianLock, DebianPackage};
use factory_model::nearest::nearest;
use factory_model::system::System;

/// The lock of one root, before and after.
#[derive(Debug, Clone)]
pub struct RootUpdate {
    /// Name of the root.
    pub name: String,
    /// The committed lock, when there is one.
    pub old: Option<DebianLock>,
    /// What it should be now.
    pub new: DebianLock,
}

/// Compares lists and the locks of a system; no network.
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn check(ctx: &dyn Context, system: &System) -> Result<Checked> {
    let inputs = Inputs::read(ctx, system)?;
    let mut checked = Checked::default();
    for name in inputs.config.order() {
        let lock_name = system.lock_name(&format!("debian/{name}"));
        checked.add(lock_name, inputs.locks.get(name), |lock| {
            inputs.fits(name, lock)
        });
    }
    Ok(checked)
}

/// Names of the packages that are locked for the layers of a system's image (roots `NN-name`).
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn image_packages(ctx: &dyn Context, system: &System) -> Result<BTreeSet<String>> {
    let locks = Inputs::read(ctx, system)?.locks.into_iter();
    Ok(locks
        .filter(|(root, _)| root.parse::<LayerName>().is_ok())
        .flat_map(|(_, found)| found.lock.packages)
        .map(|package| package.name)
        .collect())
}

/// Solves what changed for a system; needs the network only then.
///
/// # Errors
/// A wrong list, an unreachable or unsigned mirror, or no solution.
pub fn update(ctx: &dyn Context, system: &System, options: &Options) -> Result<Vec<RootUpdate>> {
    let inputs = Inputs::read(ctx, system)?;
    let order = inputs.config.order();
    let stale = inputs.stale(options);
    let mut new: BTreeMap<String, DebianLock> = BTreeMap::new();
    if !stale.is_empty() {
        if ctx.is_offline() {
            let roots = quoted(stale.iter().copied());
            return Err(Error::Offline { roots }.failure().into());
        }
        let apt = Apt::open(ctx, &inputs, &options.allow_expired)?;
        new = solve_stale(ctx, &apt, &inputs, options, &stale)?;
    }
    let update = |name: &str| {
        let old = inputs.old(name);
        Some(RootUpdate {
            name: name.to_owned(),
            new: new.remove(name).or_else(|| old.clone())?,
            old,
        })
    };
    Ok(order.into_iter().filter_map(update).collect())
}

/// The locks of the roots that must be solved; those of the others stay.
fn solve_stale(
    ctx: &dyn Context,
    apt: &Apt,
    inputs: &Inputs,
    options: &Options,
    stale: &BTreeSet<&str>,
) -> Result<BTreeMap<String, DebianLock>> {
    let indexes = apt.indexes()?;
    let texts = indexes
        .iter()
        .map(|index| Ok(fs_err::read_to_string(&index.file)?))
        .collect::<Result<Vec<String>>>()?;
    let archive = Archive::new(texts.iter().map(String::as_str));
    let reachable = archive.reachable(inputs.names());
    apt.show(&indexes, &reachable)?;
    let suites = indexes.iter().map(|index| index.suite.clone());
    let reachable: Vec<(String, String)> = suites.zip(reachable).collect();
    let index = Index::new(&reachable).map_err(|error| error.failure())?;
    let dates = Apt::release_dates(&indexes)?;
    let snapshots = snapshot::times(&inputs.config, &dates).map_err(|error| error.failure())?;
    let first = inputs.config.suites.first();
    let default_snapshot = first
        .and_then(|suite| snapshots.get(&suite.name))
        .ok_or_else(|| Error::NoSuite.failure())?;
    let solver = Solver {
        apt,
        inputs,
        options,
        archive,
        index,
        default_snapshot,
        snapshots: &snapshots,
    };
    let mut new: BTreeMap<String, DebianLock> = BTreeMap::new();
    for name in inputs.config.order() {
        ctx.check_interrupted()?;
        if !stale.contains(name) {
            continue;
        }
        let started = Instant::now();
        let lock = solver.solve(name, &new)?;
        let n_packages = lock.packages.len();
        let took = text::elapsed(started.elapsed());
        ctx.step(
            "Solved",
            &format!(
                "{}: {n_packages} packages in {took}",
                inputs.system.lock_name(name)
            ),
        );
        new.insert(name.to_owned(), lock);
    }
    Ok(new)
}

/// Solves roots with what the mirrors have now.
struct Solver<'a> {
    apt: &'a Apt,
    inputs: &'a Inputs,
    options: &'a Options,
    /// All packages.
    archive: Archive<'a>,
    /// Those that a root can have.
    index: Index<'a>,
    /// By suite.
    snapshots: &'a BTreeMap<String, String>,
    default_snapshot: &'a str,
}

impl Solver<'_> {
    /// The lock of one root; `new` has those of the roots below it that were solved now.
    fn solve(&self, name: &str, new: &BTreeMap<String, DebianLock>) -> Result<DebianLock> {
        let Inputs { config, lists, .. } = self.inputs;
        let root = &config.roots[name];
        let present = self.present(name, new)?;
        // Without dependencies nothing of the lower roots is asked for, so a mirror need not have
        // their versions any more; dpkg looks at them when it configures the root.
        let status = match root.dependencies {
            true => self.index.status(&present),
            false => Ok(String::new()),
        }
        .map_err(|error| error.failure())?;
        let preferences = preferences(self.inputs, self.options, name, &present);
        let lines = &lists[name];
        let wanted: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let chosen = self
            .apt
            .solve(&wanted, root.dependencies, &status, &preferences)?
            .map_err(|said| explain(name, lines, said, &self.archive.names().collect()))?;
        check_moved(name, &chosen, &present).map_err(|error| error.failure())?;
        let locked = |package: &Chosen| {
            let index = &self.index;
            index.locked(package, config, self.snapshots, self.default_snapshot)
        };
        let packages: Result<Vec<DebianPackage>, Error> = chosen.iter().map(locked).collect();
        Ok(DebianLock {
            schema_version: 1,
            on: root.on.clone(),
            list_sha256: config.list_sha256(name, lists),
            snapshot: self.default_snapshot.to_owned(),
            packages: packages.map_err(|error| error.failure())?,
        })
    }

    /// What the roots below have.
    fn present<'b>(
        &'b self,
        name: &str,
        new: &'b BTreeMap<String, DebianLock>,
    ) -> Result<Versions<'b>> {
        let Inputs { config, locks, .. } = self.inputs;
        let chain = config
            .chain(name)
            .map_err(|problem| problem.of("package-lists/debian.toml").failure())?;
        let below = chain.into_iter().filter(|below| *below != name);
        let lock_of = |below: &str| {
            let old = locks.get(below).map(|found| &found.lock);
            new.get(below).or(old)
        };
        Ok(below
            .filter_map(lock_of)
            .flat_map(|lock| &lock.packages)
            .map(|package| (package.name.as_str(), package.version.as_str()))
            .collect())
    }
}

/// A root may add to those below it, and not change what they have.
fn check_moved(root: &str, chosen: &[Chosen], present: &Versions<'_>) -> Result<(), Error> {
    for package in chosen {
        if let Some(below) = present.get(package.name.as_str()) {
            return Err(Error::Moved {
                root: root.to_owned(),
                name: package.name.clone(),
                version: package.version.clone(),
                below: (*below).to_owned(),
            });
        }
    }
    Ok(())
}

/// Turns apt's refusal into list lines: unknown names with their nearest, or the conflict.
fn explain(root: &str, lines: &[Line], said: String, known: &BTreeSet<&str>) -> Failure {
    let faults: Vec<Fault> = lines
        .iter()
        .filter(|line| !known.contains(line.text.as_str()))
        .map(|line| {
            let near = nearest(&line.text, known.iter().copied());
            let near = if near.is_empty() {
                String::new()
            } else {
                format!("; nearest: {}", quoted(near))
            };
            Fault {
                file: list_file(root),
                line: line.number,
                column: line.column,
                reason: format!("no suite has a package `{}`{near}", line.text),
            }
        })
        .collect();
    if faults.is_empty() {
        let root = root.to_owned();
        Error::Unsolvable { root, said }.failure()
    } else {
        ListError::Lists(Faults(faults)).failure()
    }
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
