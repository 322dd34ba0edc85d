//! Brings one source to the disk, and checks it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::missing::{MissingSource, named, plural};
use factory_base::ctx::Ctx;
use factory_base::error;
use factory_fetch::{Downloader, Job, Progress, deb, git, nar_hash};
use factory_model::lock::Origin;

/// One failure as it is, several as a list.
pub(super) fn all_in_one(
    mut failures: Vec<anyhow::Error>,
    n_sources: usize,
) -> Option<anyhow::Error> {
    if failures.len() <= 1 {
        return failures.pop();
    }
    let texts: Vec<_> = failures.iter().map(|error| format!("{error:#}")).collect();
    let hints: BTreeSet<&str> = failures.iter().flat_map(error::hints_of).collect();
    let mut failure = error::environment(format!(
        "{} of {n_sources} sources cannot be fetched\n{}",
        failures.len(),
        named(&texts)
    ));
    for hint in hints {
        failure = failure.hint(hint);
    }
    Some(failure.into())
}

/// Brings one source to `<cache>/downloads/<hash>/<name>`; returns the bytes that came over
/// the network.
pub(super) fn bring(
    ctx: &Ctx,
    downloader: &Downloader<'_>,
    progress: &Progress<'_>,
    source: &MissingSource,
) -> Result<(PathBuf, u64)> {
    let directory = ctx.cache.join("downloads").join(source.hash.to_string());
    let destination = directory.join(&source.name);
    if !source.recursive {
        let job = Job {
            name: source.name.clone(),
            origins: source.origins.clone(),
            sha256: source.hash,
            size: source.size,
            destination: destination.clone(),
        };
        let done = downloader.fetch(&job, progress)?;
        return Ok((destination, done.bytes_fetched));
    }
    let mut failures = Vec::new();
    for origin in &source.origins {
        // Never taken for whole; what lies beside it is what an earlier run had fetched.
        remove(&destination)?;
        fs_err::create_dir_all(&directory)?;
        let result = bring_tree(ctx, downloader, progress, source, origin, &destination);
        ctx.check_interrupted()?;
        let checked = result.and_then(|brought| {
            check_tree(source, origin, &destination, &brought.pointers).inspect_err(|_| {
                // A tree that is whole and wrong is not worth keeping.
                if let Err(error) = remove(&directory) {
                    ctx.ui.warn(format!("{error:#}"));
                }
            })?;
            Ok(brought)
        });
        match checked {
            Ok(brought) => {
                if !brought.pointers.is_empty() {
                    ctx.ui.warn(format!(
                        "{}: {}, whose content is not part of the revision: {}",
                        source.name,
                        plural(
                            brought.pointers.len(),
                            "file is a Git LFS pointer",
                            "files are Git LFS pointers"
                        ),
                        listed(&brought.pointers)
                    ));
                }
                return Ok((destination, brought.bytes));
            }
            Err(error) => failures.push(error),
        }
    }
    Err(all_in_one(failures, source.origins.len())
        .unwrap_or_else(|| anyhow::anyhow!("nothing says where it is"))
        .context(error::environment(format!(
            "cannot fetch `{}`",
            source.name
        ))))
}

/// What came for a tree.
struct Brought {
    /// Bytes over the network, as far as they are known.
    bytes: u64,
    /// Files whose content lies elsewhere.
    pointers: Vec<PathBuf>,
}

fn bring_tree(
    ctx: &Ctx,
    downloader: &Downloader<'_>,
    progress: &Progress<'_>,
    source: &MissingSource,
    origin: &Origin,
    destination: &Path,
) -> Result<Brought> {
    match origin {
        Origin::Git {
            url,
            rev,
            submodules,
        } => {
            let bar = progress.file(&source.name, source.size);
            let revision = git::Revision {
                url,
                rev,
                submodules: *submodules,
            };
            let objects = destination.with_file_name("git-objects");
            let pointers = git::checkout(ctx, &revision, &objects, destination)?;
            bar.done();
            Ok(Brought { bytes: 0, pointers })
        }
        Origin::DebMember {
            archive,
            path,
            snapshot,
            deb_sha256,
            deb_size,
            member,
        } => {
            let deb = destination.with_file_name("package.deb");
            let job = Job {
                name: source.name.clone(),
                origins: vec![Origin::Debian {
                    archive: archive.clone(),
                    path: path.clone(),
                    snapshot: snapshot.clone(),
                }],
                sha256: *deb_sha256,
                size: Some(*deb_size),
                destination: deb.clone(),
            };
            let done = downloader.fetch(&job, progress)?;
            // `usr/bin/busybox` becomes `bin/busybox`, where store paths keep programs.
            let place = destination.join(member.strip_prefix("usr/").unwrap_or(member));
            fs_err::create_dir_all(place.parent().context("a member without a directory")?)?;
            deb::extract_member(&deb, member, &place)?;
            fs_err::remove_file(deb)?;
            Ok(Brought {
                bytes: done.bytes_fetched,
                pointers: Vec::new(),
            })
        }
        file => bail!(
            "the recursive source `{}` has the origin {file:?}",
            source.name
        ),
    }
}

fn check_tree(
    source: &MissingSource,
    origin: &Origin,
    path: &Path,
    pointers: &[PathBuf],
) -> Result<()> {
    let found = nar_hash(path)?;
    if found == source.hash {
        return Ok(());
    }
    let from = match origin {
        Origin::Git { url, rev, .. } => format!("{url} at {rev}"),
        Origin::DebMember { path, member, .. } => format!("{member} of {path}"),
        other => format!("{other:?}"),
    };
    let failure = error::environment(format!(
        "wrong NAR hash of {from}\n      expected {}\n      found    {}",
        source.hash.to_sri(),
        found.to_sri()
    ));
    let Origin::Git { submodules, .. } = origin else {
        return Err(failure.into());
    };
    let failure = if pointers.is_empty() {
        failure
    } else {
        failure.hint(format!(
            "the hash may be that of a tree with the content of Git LFS, which is not fetched: {}",
            listed(pointers)
        ))
    };
    let other = if *submodules { "without" } else { "with" };
    Err(failure
        .hint(format!("the hash may be that of the tree {other} its submodules: see `submodules` in `package-lists/sources.toml`"))
        .hint("if the revision is the right one, and a second look at its files finds nothing strange, write the found hash into `package-lists/sources.toml` and run `cargo xtask update-locks`")
        .into())
}

/// The first few of some files.
fn listed(files: &[PathBuf]) -> String {
    let shown: Vec<_> = files
        .iter()
        .take(3)
        .map(|file| file.display().to_string())
        .collect();
    let more = if files.len() > 3 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

pub(super) fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs_err::remove_dir_all(directory)?;
    }
    Ok(())
}
