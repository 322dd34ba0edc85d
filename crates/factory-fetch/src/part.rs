//! A file that is not whole yet, with the hash of what is there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use digest_io::IoWrapper;
use sha2::Digest as _;

use super::error::Error;
use super::job::Job;
use super::progress::FileProgress;
use super::retry::{Stop, unfit};
use factory_base::error::Explain as _;
use factory_model::lock::Sha256;

/// An unfinished file with the hash of what it holds.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    hasher: sha2::Sha256,
    /// What it holds.
    pub(super) length: u64,
}

impl Part {
    /// Hashes what an earlier run left.
    pub(super) fn open(path: &Path, bar: &mut FileProgress<'_>) -> Result<Self> {
        if let Some(directory) = path.parent() {
            fs_err::create_dir_all(directory)?;
        }
        let file = fs_err::OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)?
            .into_parts()
            .0;
        let mut part = Self {
            path: path.to_owned(),
            file,
            hasher: sha2::Sha256::new(),
            length: 0,
        };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = part.file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            part.hasher.update(&buffer[..count]);
            part.length += count as u64;
            bar.advance(count as u64);
        }
        Ok(part)
    }

    /// Adds what came.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| {
            let failure = Error::CannotWrite {
                path: self.path.clone(),
                is_full: source.kind() == io::ErrorKind::StorageFull,
            };
            anyhow::Error::from(source).context(failure.failure())
        })?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what is there.
    pub(super) fn restart(&mut self, bar: &mut FileProgress<'_>) -> Result<()> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .with_context(|| format!("cannot empty `{}`", self.path.display()))?;
        self.hasher = sha2::Sha256::new();
        self.length = 0;
        bar.restart();
        Ok(())
    }

    /// Whether it is what the job wants; a wrong one is thrown away.
    pub(super) fn verify(&mut self, job: &Job, bar: &mut FileProgress<'_>) -> Result<(), Stop> {
        let found = Sha256::from_bytes(self.hasher.clone().finalize().into());
        if found == job.sha256 {
            return Ok(());
        }
        self.restart(bar)?;
        Err(unfit(format!(
            "wrong hash\n      expected {}\n      found    {found}",
            job.sha256
        )))
    }

    /// Moves it to its place.
    pub(super) fn persist(self, destination: &Path) -> Result<()> {
        if let Some(directory) = destination.parent() {
            fs_err::create_dir_all(directory)?;
        }
        fs_err::rename(&self.path, destination)?;
        Ok(())
    }

    /// Leaves no empty files behind.
    pub(super) fn discard_if_empty(self) -> Result<()> {
        if self.length == 0 {
            fs_err::remove_file(&self.path)?;
        }
        Ok(())
    }
}

/// Hashes a file as it is on the disk.
pub(super) fn hash_of(path: &Path) -> Result<Sha256> {
    let mut hasher = IoWrapper(sha2::Sha256::new());
    io::copy(&mut fs_err::File::open(path)?, &mut hasher)?;
    Ok(Sha256::from_bytes(hasher.0.finalize().into()))
}
