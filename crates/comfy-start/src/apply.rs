//! Does what was decided, so that it can be cut off anywhere.
//!
//! First all new content is written beside, into a directory that ComfyUI passes over, and
//! synced. Then receipts say what is about to go. Then names change, one atomic rename after
//! the other, and only when those last do receipts say what is there. A start that is killed
//! leaves files that are the image's old or new ones, and the next one decides from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::entry::Entries;
use crate::error::{At as _, Error};
use crate::files::{
    look, make_directory, move_to, remove_if_there, remove_tree, symlink_metadata,
    sync_file_system, write_copy,
};
use crate::plan::{Decision, Policy, Target};
use crate::receipt::{Coming, NodeState, Put, Receipt};
use crate::say::{detail, warn};

/// Where new content waits for its name. ComfyUI passes over `custom_nodes/*.disabled`.
pub const STAGING: &str = ".comfy-start.disabled";

/// Leave so much free beside what is written.
const MARGIN_BYTES: u64 = 32 << 20;

/// A node that is not there yet: a directory to be, and what goes into it.
#[derive(Debug)]
pub struct NewDirectory {
    /// Where it will be.
    pub directory: PathBuf,
    /// What the image holds for it.
    pub entries: Entries,
}

/// Everything that is to be done in one area, or for ComfyUI itself.
#[derive(Debug)]
pub struct Job {
    /// The area's directory: staging happens here, and its receipt lies here.
    pub area: PathBuf,
    /// What is in it.
    pub targets: Vec<Target>,
    /// What it lacks.
    pub new: Vec<NewDirectory>,
    /// Where the user's files go that make way for the image's.
    pub aside: PathBuf,
}

/// What was staged: by target and path, the file that waits and its digest.
#[derive(Debug, Default)]
struct Staged {
    files: BTreeMap<(usize, String), (PathBuf, String)>,
    directories: Vec<(PathBuf, PathBuf)>,
}

impl Job {
    /// Says how many bytes will be written.
    pub fn size_bytes(&self) -> u64 {
        let new = self.new.iter().flat_map(|new| new.entries.values());
        self.targets.iter().map(Target::size_bytes).sum::<u64>()
            + new.map(|entry| entry.size_bytes).sum::<u64>()
    }

    /// Says whether nothing will change, receipts apart.
    pub fn is_quiet(&self) -> bool {
        let changing = [
            Decision::Put,
            Decision::Replace,
            Decision::Remove,
            Decision::Aside,
        ];
        self.new.is_empty()
            && self
                .targets
                .iter()
                .all(|target| target.with(&changing).next().is_none())
    }

    fn stage(&self) -> Result<Staged, Error> {
        let staging = self.area.join(STAGING);
        remove_tree(&staging)?;
        let mut staged = Staged::default();
        if self.size_bytes() == 0 && self.is_quiet() {
            return Ok(staged);
        }
        make_directory(&staging)?;
        for (index, target) in self.targets.iter().enumerate() {
            for path in target.with(&[Decision::Put, Decision::Replace]) {
                let Some(entry) = target.entries.get(path) else {
                    continue;
                };
                let waiting = staging.join(format!("file-{}", staged.files.len()));
                let sha256 = write_copy(entry, &waiting)?;
                staged
                    .files
                    .insert((index, path.clone()), (waiting, sha256));
            }
        }
        for (index, new) in self.new.iter().enumerate() {
            let waiting = staging.join(format!("directory-{index}"));
            write_directory(&waiting, &new.entries)?;
            staged.directories.push((waiting, new.directory.clone()));
        }
        Ok(staged)
    }

    /// Says in the receipts which files are about to come and go.
    fn announce(&mut self, staged: &Staged) -> Result<(), Error> {
        if self.is_quiet() {
            return Ok(());
        }
        for ((index, path), (_, sha256)) in &staged.files {
            let target = &mut self.targets[*index];
            let size_bytes = target.entries.get(path).map_or(0, |entry| entry.size_bytes);
            let coming = Coming {
                sha256: sha256.clone(),
                size_bytes,
            };
            let there = target.directory.join(path);
            match target.receipt.files.get_mut(path) {
                Some(put) if look(&there)?.is_some() => put.coming = Some(coming),
                _ => {
                    let put = Put {
                        sha256: coming.sha256,
                        size_bytes,
                        mtime_ns: 0,
                        is_unsettled: true,
                        coming: None,
                    };
                    target.receipt.files.insert(path.clone(), put);
                }
            }
        }
        for target in &mut self.targets {
            let going: Vec<String> = target.with(&[Decision::Remove]).cloned().collect();
            for path in &going {
                if let Some(put) = target.receipt.files.get_mut(path) {
                    put.is_unsettled = true;
                }
            }
        }
        for new in &self.new {
            let name = new
                .directory
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            let name = name.strip_suffix(".disabled").unwrap_or(&name);
            let nodes = &mut self.targets[0].receipt.nodes;
            nodes.entry(name.to_owned()).or_insert(NodeState::Going);
        }
        for target in &self.targets {
            let receipt = Receipt {
                bundle: None,
                ..target.receipt.clone()
            };
            if Receipt::read(&target.directory)?.as_ref() != Some(&receipt) {
                receipt.write(&target.directory)?;
            }
        }
        Ok(())
    }

    fn rename(&mut self, staged: Staged) -> Result<(), Error> {
        for (waiting, directory) in staged.directories {
            fs::rename(&waiting, &directory).at("write", &directory)?;
        }
        for (index, target) in self.targets.iter_mut().enumerate() {
            for (path, decision) in target.steps.clone() {
                let there = target.directory.join(&path);
                match decision {
                    Decision::Put | Decision::Replace => {
                        let Some((waiting, sha256)) = staged.files.get(&(index, path.clone()))
                        else {
                            continue;
                        };
                        if decision == Decision::Replace {
                            put_aside(&there, &self.aside.join(&path))?;
                        }
                        match put(waiting, &there) {
                            Ok(()) => target.record(&path, sha256.clone())?,
                            // A read-only mount, or a file in the way of a directory.
                            Err(error) if target.policy == Policy::Keep && is_local(&error) => {
                                warn(&format!("{}: {error}", target.name(&path)));
                            }
                            Err(error) => return Err(error),
                        }
                    }
                    Decision::Aside => {
                        put_aside(&there, &self.aside.join(&path))?;
                        target.receipt.files.remove(&path);
                    }
                    Decision::Remove => {
                        remove_if_there(&there)?;
                        remove_byte_code_of(&there)?;
                        remove_empty_above(&there, &target.directory);
                        target.receipt.files.remove(&path);
                    }
                    Decision::Forget | Decision::Gone => {
                        target.receipt.files.remove(&path);
                    }
                    Decision::Adopt => {
                        target.adopt(&path)?;
                    }
                    Decision::Kept | Decision::StaysRemoved => {}
                }
            }
        }
        Ok(())
    }
}

impl Target {
    fn record(&mut self, path: &str, sha256: String) -> Result<(), Error> {
        let metadata = symlink_metadata(&self.directory.join(path))?;
        let put = Put::settled(sha256, &metadata);
        self.receipt.files.insert(path.to_owned(), put);
        Ok(())
    }

    fn adopt(&mut self, path: &str) -> Result<(), Error> {
        let there = self.directory.join(path);
        let metadata = symlink_metadata(&there)?;
        let known = self.receipt.files.get(path);
        if known.is_some_and(|put| put.is_untouched(&metadata)) {
            return Ok(());
        }
        let sha256 = crate::files::digest(&there, metadata.is_symlink())?;
        self.record(path, sha256)
    }
}

/// Does all jobs. The receipts of targets are written; what comes after is the caller's.
///
/// # Errors
///
/// The disk is full, or a file cannot be written.
pub fn apply(jobs: &mut [Job]) -> Result<(), Error> {
    check_space(jobs)?;
    let mut staged = Vec::new();
    for job in jobs.iter() {
        staged.push(job.stage()?);
    }
    let is_quiet = jobs.iter().all(Job::is_quiet);
    if !is_quiet {
        sync(jobs)?;
    }
    for (job, staged) in jobs.iter_mut().zip(&staged) {
        job.announce(staged)?;
    }
    for (job, staged) in jobs.iter_mut().zip(staged) {
        job.rename(staged)?;
    }
    if !is_quiet {
        sync(jobs)?;
    }
    for job in jobs.iter() {
        for target in &job.targets {
            if Receipt::read(&target.directory)?.as_ref() != Some(&target.receipt)
                && look(&target.directory)?.is_some()
            {
                target.receipt.write(&target.directory)?;
            }
        }
        remove_tree(&job.area.join(STAGING))?;
    }
    Ok(())
}

fn check_space(jobs: &[Job]) -> Result<(), Error> {
    let mut needed: BTreeMap<u64, (u64, &Path)> = BTreeMap::new();
    for job in jobs {
        let device = fs::metadata(&job.area).at("look at", &job.area)?.dev();
        let (size_bytes, _) = needed.entry(device).or_insert((0, &job.area));
        *size_bytes += job.size_bytes();
    }
    for (size_bytes, path) in needed.into_values().filter(|(size, _)| *size > 0) {
        let status = rustix::fs::statvfs(path).at("look at the file system of", path)?;
        let free_bytes = status.f_bavail.saturating_mul(status.f_frsize);
        detail(&format!(
            "{} MB go to `{}`, which has {} MB free",
            size_bytes >> 20,
            path.display(),
            free_bytes >> 20
        ));
        if free_bytes < size_bytes + MARGIN_BYTES {
            return Err(Error::DiskFull {
                path: path.to_owned(),
                needed_mb: (size_bytes + MARGIN_BYTES).div_ceil(1 << 20),
                free_mb: free_bytes >> 20,
            });
        }
    }
    Ok(())
}

fn sync(jobs: &[Job]) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for job in jobs {
        let device = fs::metadata(&job.area).at("look at", &job.area)?.dev();
        if seen.insert(device) {
            sync_file_system(&job.area)?;
        }
    }
    Ok(())
}

fn write_directory(directory: &Path, entries: &Entries) -> Result<(), Error> {
    make_directory(directory)?;
    let mut receipt = Receipt::default();
    for (path, entry) in entries {
        let to = directory.join(path);
        make_directory(to.parent().unwrap_or(directory))?;
        let sha256 = write_copy(entry, &to)?;
        let metadata = symlink_metadata(&to)?;
        let put = Put::settled(sha256, &metadata);
        receipt.files.insert(path.clone(), put);
    }
    receipt.write_unsynced(directory)
}

fn put(waiting: &Path, there: &Path) -> Result<(), Error> {
    make_directory(there.parent().unwrap_or(Path::new("/")))?;
    move_to(waiting, there)
}

fn put_aside(there: &Path, aside: &Path) -> Result<(), Error> {
    make_directory(aside.parent().unwrap_or(Path::new("/")))?;
    match look(there)? {
        Some(metadata) if metadata.is_dir() => fs::rename(there, aside).at("move aside", there),
        Some(_) => move_to(there, aside),
        None => Ok(()),
    }
}

/// Says whether an error concerns one place in the volume, and not the volume.
fn is_local(error: &Error) -> bool {
    use std::io::ErrorKind;
    matches!(error, Error::Io { source, .. } if matches!(
        source.kind(),
        ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::NotFound
            | ErrorKind::ResourceBusy
    ))
}

/// Removes what Python compiled from a source that is gone.
fn remove_byte_code_of(source: &Path) -> Result<(), Error> {
    let (Some(directory), Some(name)) = (source.parent(), source.file_name()) else {
        return Ok(());
    };
    let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".py")) else {
        return Ok(());
    };
    let cache = directory.join("__pycache__");
    let Ok(items) = fs::read_dir(&cache) else {
        return Ok(());
    };
    for item in items {
        let path = item.at("list", &cache)?.path();
        let file_name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let is_ours = file_name
            .strip_prefix(stem)
            .is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".pyc"));
        if is_ours {
            remove_if_there(&path)?;
        }
    }
    let _is_gone = fs::remove_dir(&cache).is_ok();
    Ok(())
}

/// Removes the directories above a path that are empty now, up to one that stays.
fn remove_empty_above(path: &Path, top: &Path) {
    let mut directory = path.parent();
    while let Some(above) = directory.filter(|above| *above != top && above.starts_with(top)) {
        if fs::remove_dir(above).is_err() {
            return;
        }
        directory = above.parent();
    }
}

/// The first of `1`, `2`, … that is not there.
///
/// # Errors
///
/// The directory cannot be looked at.
pub fn free_number(directory: &Path) -> Result<PathBuf, Error> {
    let mut number = 1;
    loop {
        let path = directory.join(number.to_string());
        if look(&path)?.is_none() {
            return Ok(path);
        }
        number += 1;
    }
}
