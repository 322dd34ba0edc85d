//! One tree of files: a revision of a git repository, or a member of a deb where it will lie.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::download::Downloader;
use super::error::Error;
use super::job::{Done, Job};
use super::progress::Progress;
use super::{git, nar};
use factory_base::error::{self, Explain as _};
use factory_base::fs::remove_tree;
use factory_model::lock::Origin;

/// What came for a tree.
struct Brought {
    /// Bytes over the network, as far as they are known.
    n_bytes: u64,
    /// Files whose content lies elsewhere (Git LFS).
    pointers: Vec<PathBuf>,
}

impl Downloader<'_> {
    /// Brings one tree to its destination; the directory around that is used, too, and is all
    /// the job's own. What is there is replaced.
    ///
    /// # Errors
    /// No origin has the tree, or one with another hash: each one with its reason.
    pub fn fetch_tree(&self, job: &Job, progress: &Progress<'_>) -> Result<Done> {
        let directory = job.destination.parent();
        let directory = directory.context("a destination without a directory")?;
        let mut failures = Vec::new();
        for origin in &job.origins {
            // Never taken for whole; what lies beside it is what an earlier run had fetched.
            remove_tree(&job.destination)?;
            fs_err::create_dir_all(directory)?;
            let result = self.bring(job, origin, progress);
            self.ctx.check_interrupted()?;
            match result.and_then(|brought| self.check(job, origin, brought, directory)) {
                Ok(done) => return Ok(done),
                Err(error) => failures.push(error),
            }
        }
        Err(all_in_one(job, failures))
    }

    fn bring(&self, job: &Job, origin: &Origin, progress: &Progress<'_>) -> Result<Brought> {
        match origin {
            Origin::Git {
                url,
                rev,
                submodules,
                exclude,
            } => {
                let bar = progress.file(&job.name, job.size);
                let revision = git::Revision {
                    url,
                    rev,
                    submodules: *submodules,
                    exclude,
                };
                let objects = job.destination.with_file_name("git-objects");
                let pointers = git::checkout(self.ctx, &revision, &objects, &job.destination)?;
                bar.done();
                Ok(Brought {
                    n_bytes: 0,
                    pointers,
                })
            }
            Origin::DebMember {
                archive,
                path,
                snapshot,
                deb_sha256,
                deb_size,
                member,
            } => {
                let deb = Job {
                    name: job.name.clone(),
                    origins: vec![Origin::Debian {
                        archive: archive.clone(),
                        path: path.clone(),
                        snapshot: snapshot.clone(),
                    }],
                    sha256: *deb_sha256,
                    size: Some(*deb_size),
                    destination: job.destination.with_file_name("package.deb"),
                };
                self.bring_member(&deb, member, &job.destination, progress)
            }
            file => Err(Error::NotATree {
                name: job.name.clone(),
                origin: format!("{file:?}"),
            }
            .failure()
            .into()),
        }
    }

    fn bring_member(
        &self,
        deb: &Job,
        member: &str,
        root: &Path,
        progress: &Progress<'_>,
    ) -> Result<Brought> {
        let done = self.fetch(deb, progress)?;
        // `usr/bin/busybox` becomes `bin/busybox`, where store paths keep programs.
        let place = root.join(member.strip_prefix("usr/").unwrap_or(member));
        fs_err::create_dir_all(place.parent().context("a member without a directory")?)?;
        deb_unpack::extract_member(&deb.destination, member, &place)?;
        fs_err::remove_file(&deb.destination)?;
        Ok(Brought {
            n_bytes: done.bytes_fetched,
            pointers: Vec::new(),
        })
    }

    fn check(
        &self,
        job: &Job,
        origin: &Origin,
        brought: Brought,
        directory: &Path,
    ) -> Result<Done> {
        let found = nar::hash(&job.destination)?;
        if found != job.sha256 {
            // A tree that is whole and wrong is not worth keeping.
            if let Err(error) = remove_tree(directory) {
                self.ctx.warn(&format!("{error:#}"));
            }
            return Err(Error::WrongTree {
                from: described(origin),
                expected: job.sha256.to_sri(),
                found: found.to_sri(),
                submodules: match origin {
                    Origin::Git { submodules, .. } => Some(*submodules),
                    _ => None,
                },
                pointers: listed(&brought.pointers),
            }
            .failure()
            .into());
        }
        if let Some(pointers) = listed(&brought.pointers) {
            let what = match brought.pointers.len() {
                1 => "1 file is a Git LFS pointer".to_owned(),
                n => format!("{n} files are Git LFS pointers"),
            };
            self.ctx.warn(&format!(
                "{}: {what}, whose content is not part of the revision: {pointers}",
                job.name
            ));
        }
        Ok(Done {
            bytes_fetched: brought.n_bytes,
        })
    }
}

fn described(origin: &Origin) -> String {
    match origin {
        Origin::Git { url, rev, .. } => format!("{url} at {rev}"),
        Origin::DebMember { path, member, .. } => format!("{member} of {path}"),
        other => format!("{other:?}"),
    }
}

/// The first few of some files; `None` when there are none.
fn listed(files: &[PathBuf]) -> Option<String> {
    let shown: Vec<_> = files
        .iter()
        .take(3)
        .map(|file| file.display().to_string())
        .collect();
    let more = if files.len() > 3 { ", …" } else { "" };
    (!files.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

/// One failure under the name of what was wanted, several as a list.
fn all_in_one(job: &Job, mut failures: Vec<anyhow::Error>) -> anyhow::Error {
    let name = job.name.clone();
    if failures.len() == 1
        && let Some(only) = failures.pop()
    {
        return only.context(Error::NoTree { name }.failure());
    }
    let reasons = failures.iter().map(|error| format!("{error:#}")).collect();
    let mut failure = Error::Nowhere { name, reasons }.failure();
    failure.hints.extend(error::hints_of_all(&failures));
    failure.into()
}
