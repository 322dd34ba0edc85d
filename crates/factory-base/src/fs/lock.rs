//! Lock files: the second run waits and says for whom.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use fs4::TryLockError;
use serde::{Deserialize, Serialize};

use crate::run::{Directories, Run};
use crate::text::elapsed;

/// How often a waiting run looks again.
const PAUSE: Duration = Duration::from_millis(200);

/// Held until dropped; the kernel lets go when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    /// Closing the file is the unlocking.
    _file: File,
}

/// Who holds the lock, as written into its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    command: String,
    started_at: u64,
}

impl Lock {
    /// Takes the lock of a run that changes the store or the caches.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn of_run<C: Run + Directories>(ctx: &C) -> Result<Self> {
        Self::take(ctx, &ctx.data().join("run.lock"))
    }

    /// Takes the lock of a run that writes the lists' locks. A build has read them when it
    /// begins, and may take hours.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn of_update<C: Run + Directories>(ctx: &C) -> Result<Self> {
        Self::take(ctx, &ctx.data().join("update-locks.lock"))
    }

    /// Takes the lock of an open file, unless somebody holds it.
    ///
    /// # Errors
    /// The file system knows no locks.
    pub fn of_file(file: File) -> Result<Option<Self>> {
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock a file"),
        }
    }

    /// Takes a lock, waiting for the run that holds it.
    ///
    /// # Errors
    /// The lock file cannot be made, or the user interrupts the wait.
    pub fn take(run: &dyn Run, path: &Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            fs_err::create_dir_all(directory)?;
        }
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| format!("cannot open `{}`", path.display()))?;
        let mut said = None;
        loop {
            match fs4::FileExt::try_lock(&file) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let text = read_text(&mut file);
                    // The holder writes its name a moment after it gets the lock.
                    if said.as_ref() != Some(&text) && (said.is_some() || !text.is_empty()) {
                        run.step("Waiting", &describe(&text, now()));
                        said = Some(text);
                    }
                    run.check_interrupted()?;
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
                }
            }
        }
        let holder = Holder {
            pid: std::process::id(),
            command: command_line(),
            started_at: now(),
        };
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&serde_json::to_vec(&holder)?)?;
        Ok(Self { _file: file })
    }
}

fn read_text(file: &mut File) -> String {
    let mut text = String::new();
    // A half-written name is as good as none: it is read again in a moment.
    if file
        .rewind()
        .and_then(|()| file.read_to_string(&mut text))
        .is_err()
    {
        text.clear();
    }
    text
}

fn describe(text: &str, now: u64) -> String {
    match serde_json::from_str::<Holder>(text) {
        Ok(holder) => {
            let since = Duration::from_secs(now.saturating_sub(holder.started_at));
            let Holder { pid, command, .. } = holder;
            format!(
                "for another run: `{command}` (process {pid}), running for {}",
                elapsed(since)
            )
        }
        Err(_) => "for another run".to_owned(),
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn command_line() -> String {
    let arguments = std::env::args().skip(1);
    std::iter::once("cargo xtask".to_owned())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_says_for_whom() {
        let text = r#"{"pid":7,"command":"cargo xtask build-final","started_at":1000}"#;
        assert_eq!(
            describe(text, 1125),
            "for another run: `cargo xtask build-final` (process 7), running for 2m05s"
        );
        assert_eq!(describe("{\"pid\":", 0), "for another run");
    }
}
