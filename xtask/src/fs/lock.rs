//! A lock file that makes a second run wait, and say for whom.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs4::TryLockError;

use crate::ctx::Ctx;

/// Held until dropped; the kernel releases it when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting while another run holds it; `what` names what the
    /// other run is doing (`fetching`).
    ///
    /// # Errors
    /// The file cannot be made, or the user stops the run while it waits.
    pub fn acquire(ctx: &Ctx, path: &Path, what: &str) -> Result<Self> {
        if let Some(directory) = path.parent() {
            fs_err::create_dir_all(directory)?;
        }
        let mut file = fs_err::OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)?
            .into_parts()
            .0;
        let mut told = false;
        loop {
            match fs4::FileExt::try_lock(&file) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => {
                    return Err(source)
                        .with_context(|| format!("cannot lock `{}`", path.display()));
                }
            }
            if !told {
                let mut holder = String::new();
                file.rewind()?;
                file.read_to_string(&mut holder)?;
                ctx.ui.status(format!(
                    "Waiting for process {} that is {what}",
                    if holder.is_empty() { "?" } else { &holder }
                ));
                told = true;
            }
            ctx.check_interrupted()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
