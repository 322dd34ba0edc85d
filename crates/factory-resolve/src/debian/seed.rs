//! `locks/seed.toml`: the hash of the one static binary that Nix gets from outside.
//!
//! The deb is locked like any other; a fixed output that is a tree also needs the NAR hash
//! of that tree, and only the unpacked deb gives it.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::committed::{self, Checked};
use crate::context::Context;
use crate::fetch;
use factory_base::error::Explain as _;
use factory_fetch::{Job, nar_hash};
use factory_model::lock::{DebianLock, DebianPackage, Origin, Sealed, Sha256, SriSha256};
use factory_model::system::System;

/// Its name below `package-lists/locks`.
const LOCK: &str = "seed";
/// Debian's path of the binary.
const MEMBER: &str = "usr/bin/busybox";

/// The file `locks/seed.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedLock {
    /// 1.
    pub schema_version: u32,
    /// Name of the store path.
    pub name: String,
    /// Member of the deb, placed as `bin/NAME`.
    pub member: String,
    /// Hash of the deb it was computed from.
    pub deb_sha256: Sha256,
    /// Hash over the NAR of the tree.
    pub nar_hash: SriSha256,
}

/// The committed seed lock of a system; `None` when there is none.
///
/// # Errors
/// It cannot be read.
fn read(ctx: &dyn Context, system: &System) -> Result<Option<Sealed<SeedLock>>> {
    committed::read(ctx, &system.lock_name(LOCK))
}

/// What `locks/seed.toml` must say for the locked deb; downloads the deb if it is another one.
///
/// # Errors
/// The deb cannot be had, or has no such member.
pub fn update(
    ctx: &dyn Context,
    system: &System,
    root: &DebianLock,
) -> Result<(Option<SeedLock>, SeedLock)> {
    let old = read(ctx, system)?;
    let package = root
        .packages
        .first()
        .ok_or_else(|| Error::EmptySeed.failure())?;
    let new = match &old {
        Some(old) if old.is_sealed && old.lock.deb_sha256 == package.sha256 => old.lock.clone(),
        _ => compute(ctx, root, package)?,
    };
    Ok((old.map(|old| old.lock), new))
}

/// Whether the seed's tree hash belongs to the locked deb, and is as it was written; no network.
///
/// # Errors
/// A lock cannot be read.
pub fn check(ctx: &dyn Context, system: &System) -> Result<Checked> {
    let root = committed::read::<DebianLock>(ctx, &system.lock_name("debian/seed"))?;
    let package = root.as_ref().and_then(|root| root.lock.packages.first());
    let mut checked = Checked::default();
    checked.add(
        system.lock_name(LOCK),
        read(ctx, system)?.as_ref(),
        |seed| package.is_some_and(|package| package.sha256 == seed.deb_sha256),
    );
    Ok(checked)
}

fn compute(ctx: &dyn Context, root: &DebianLock, package: &DebianPackage) -> Result<SeedLock> {
    let work = tempfile::tempdir()?;
    let file = work.path().join("seed.deb");
    let snapshot = package.snapshot.as_ref().unwrap_or(&root.snapshot);
    let job = Job {
        name: format!("{} {}", package.name, package.version),
        origins: vec![Origin::Debian {
            archive: package.archive.clone(),
            path: package.path.clone(),
            snapshot: snapshot.clone(),
        }],
        sha256: package.sha256,
        size: Some(package.size),
        destination: file.clone(),
    };
    fetch::file(ctx, &job)?;
    let bin = work.path().join("tree/bin");
    fs_err::create_dir_all(&bin)?;
    let program = bin.join(MEMBER.rsplit('/').next().unwrap_or(MEMBER));
    deb_unpack::extract_member(&file, MEMBER, &program)?;
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let hash = nar_hash(&work.path().join("tree"))?;
    Ok(SeedLock {
        schema_version: 1,
        name: format!("{}-{}", package.name, upstream(&package.version)),
        member: MEMBER.to_owned(),
        deb_sha256: package.sha256,
        nar_hash: SriSha256(hash),
    })
}

/// A Debian version without epoch and without the suffix of a rebuild (`1:1.37.0-6+b9`).
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    version.split_once('+').map_or(version, |(rest, _)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_version_without_epoch_and_rebuild() {
        assert_eq!(upstream("1:1.37.0-6+b9"), "1.37.0-6");
        assert_eq!(upstream("1.37.0-6"), "1.37.0-6");
    }
}
