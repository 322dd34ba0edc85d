//! Locks one variant after the other; keeps what is locked unless told otherwise.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::error::Error;
use super::inputs::{Goal, Inputs, goals, read};
use super::interpreter::Interpreters;
use super::list_hash::list_sha256;
use super::native::Locks;
use super::requests;
use super::resolve::{Options, Request};
use super::share::share;
use super::uv::Uv;
use crate::committed::{self, Checked};
use crate::context::Context;
use factory_base::error::Explain as _;
use factory_fetch::for_each;
use factory_model::lock::{PythonLock, Sealed};
use factory_model::system::System;

/// The lock of one variant, before and after.
#[derive(Debug, Clone)]
pub struct VariantUpdate {
    /// Path of the lock below `package-lists/locks`: `python/slim`.
    pub lock_name: String,
    /// The committed lock, when there is one.
    pub old: Option<PythonLock>,
    /// What it should be now.
    pub new: PythonLock,
}

/// Compares lists and the locks of systems; no network.
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn check(ctx: &dyn Context, systems: &[System], variants: &[String]) -> Result<Checked> {
    let inputs = read(ctx)?;
    let mut checked = Checked::default();
    for goal in goals(&inputs, systems, variants).map_err(|error| error.failure())? {
        let found = read_lock(ctx, goal.system, goal.name)?;
        checked.add(goal.lock_name(), found.as_ref(), |lock| {
            lock.list_sha256 == list_sha256(&inputs, &goal)
                && is_compared(lock, &goal)
                && lock.wheel_files_sha256 == goal.wheel_files_sha256(&inputs)
        });
    }
    Ok(checked)
}

/// What is wrong with `exclusions.toml`, each fault on a line of its own; no network. A
/// variant is compared with its locks unless they are missing or among `stale`. `debian`
/// has the Debian packages of the image of a system.
///
/// # Errors
/// An unreadable or wrong list or lock.
pub fn check_exclusions(
    ctx: &dyn Context,
    debian: &BTreeMap<String, BTreeSet<String>>,
    stale: &[String],
) -> Result<Vec<String>> {
    let inputs = read(ctx)?;
    let mut locks: BTreeMap<String, Locks<'_>> = BTreeMap::new();
    for system in inputs.systems.iter() {
        let of_system = locks.entry(system.name.clone()).or_default();
        let names = inputs.variants.variant.iter();
        for (name, _) in names.filter(|(_, variant)| variant.is_for(system)) {
            if stale.contains(&system.lock_name(&format!("python/{name}"))) {
                continue;
            }
            if let Some(found) = read_lock(ctx, system, name)? {
                of_system.insert(name.as_str(), found.lock);
            }
        }
    }
    Ok(requests::faults(&inputs, &locks, debian))
}

/// Resolves what changed, several at a time; needs the network only then.
///
/// # Errors
/// A wrong list, an unreachable index, or no solution.
pub fn update(ctx: &dyn Context, options: &Options) -> Result<Vec<VariantUpdate>> {
    let inputs = read(ctx)?;
    let goals = goals(&inputs, &options.systems, &options.variants);
    let goals = goals.map_err(|error| error.failure())?;
    let mut updates = BTreeMap::new();
    let mut stale = Vec::new();
    for (number, goal) in goals.iter().enumerate() {
        let old = read_lock(ctx, goal.system, goal.name)?;
        let kept = old
            .as_ref()
            .map(|old| kept(ctx, &inputs, goal, options, old));
        if let Some(update) = kept.transpose()?.flatten() {
            updates.insert(number, update);
        } else {
            require_network(ctx, goal)?;
            stale.push((number, goal, old.map(|old| old.lock)));
        }
    }
    if !stale.is_empty() {
        let uv = Uv::provide(ctx)?;
        let interpreters = Interpreters::default();
        let resolve = |(_, goal, old): &(usize, &Goal<'_>, Option<PythonLock>)| {
            ctx.check_interrupted()?;
            let request = Request {
                uv: &uv,
                interpreters: &interpreters,
                inputs: &inputs,
                goal,
                options,
                old: old.as_ref(),
            };
            request.lock(ctx, list_sha256(&inputs, goal))
        };
        for_each(&stale, n_at_once(), resolve, |(number, goal, old), new| {
            let update = VariantUpdate {
                lock_name: goal.lock_name(),
                old: old.clone(),
                new: new?,
            };
            updates.insert(*number, update);
            Ok(())
        })?;
    }
    Ok(updates.into_values().collect())
}

/// uv waits for the index half of the time, and for itself the other half.
fn n_at_once() -> usize {
    std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(4)
}

/// A lock that need not be resolved again: as it is, but for what its wheels share.
fn kept(
    ctx: &dyn Context,
    inputs: &Inputs,
    goal: &Goal<'_>,
    options: &Options,
    old: &Sealed<PythonLock>,
) -> Result<Option<VariantUpdate>> {
    let lock = &old.lock;
    let is_named = lock
        .packages
        .iter()
        .any(|package| options.upgrade_packages.contains(&package.name));
    let is_current =
        lock.list_sha256 == list_sha256(inputs, goal) && is_compared(lock, goal) && old.is_sealed;
    if !is_current || options.upgrade || is_named {
        return Ok(None);
    }
    let mut new = lock.clone();
    // The same wheels, of which other files may be shared now.
    if lock.wheel_files_sha256 != goal.wheel_files_sha256(inputs) {
        share_again(ctx, inputs, goal, lock, &mut new)?;
    }
    Ok(Some(VariantUpdate {
        lock_name: goal.lock_name(),
        old: Some(lock.clone()),
        new,
    }))
}

/// Whether a lock says what native code another interpreter gets.
fn is_compared(lock: &PythonLock, goal: &Goal<'_>) -> bool {
    lock.compared_with == goal.compared_with().map(|abi| abi.to_string())
}

fn require_network(ctx: &dyn Context, goal: &Goal<'_>) -> Result<()> {
    if !ctx.is_offline() {
        return Ok(());
    }
    let job = goal.system.lock_name(goal.name);
    Err(Error::Offline { job }.failure().into())
}

/// Finds what the wheels of a lock share, without resolving it again.
fn share_again(
    ctx: &dyn Context,
    inputs: &Inputs,
    goal: &Goal<'_>,
    old: &PythonLock,
    new: &mut PythonLock,
) -> Result<()> {
    require_network(ctx, goal)?;
    let (layers, list) = (&inputs.layers, &inputs.wheel_files);
    share(ctx, layers, list, &BTreeMap::new(), Some(old), new)
}

/// The committed lock of a variant on a system, and whether it is as it was written; `None` where
/// there is none yet.
///
/// # Errors
/// It cannot be read.
pub fn read_lock(
    ctx: &dyn Context,
    system: &System,
    name: &str,
) -> Result<Option<Sealed<PythonLock>>> {
    committed::read(ctx, &system.lock_name(&format!("python/{name}")))
}
