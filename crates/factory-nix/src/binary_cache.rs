//! A directory that is a Nix binary cache, written and read with one key.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use xshell::Shell;

use super::store_path::hash_of;
use super::{Error, Nix, SigningKey};
use factory_base::error::Explain as _;
use factory_base::process;
use factory_base::run::Run;

/// What a path keeps in a URL, and in a URL's query (RFC 3986, section 3.3 and 3.4).
const NOT_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How Nix says that it does not believe what a cache holds, in versions 2.26 to 2.34.
const REFUSALS: [&str; 11] = [
    "lacks a signature by a trusted key",
    "hash mismatch",
    "decompression failed",
    "bad archive",
    "input compression not recognized",
    "Failed to open archive",
    "coroutine has finished",
    // What is no NAR any more: Nix reads it before it has the hash.
    "non-zero padding",
    "string is too long",
    "serialised integer",
    "unexpected end-of-file",
];

/// A binary cache in a directory. What is not signed with the key is not taken from it.
#[derive(Debug)]
pub struct BinaryCache<'a> {
    nix: &'a Nix,
    directory: PathBuf,
    key: SigningKey,
}

impl<'a> BinaryCache<'a> {
    /// The cache in a directory, which need not exist yet.
    ///
    /// # Errors
    /// The working directory, which a relative path begins with, is gone.
    pub fn new(nix: &'a Nix, directory: &Path, key: SigningKey) -> Result<Self> {
        Ok(Self {
            nix,
            directory: std::path::absolute(directory)?,
            key,
        })
    }

    /// Whether a directory is a binary cache.
    pub fn is_in(directory: &Path) -> bool {
        directory.join("nix-cache-info").is_file()
    }

    /// Copies store paths, with what they refer to, into the cache, and signs them.
    ///
    /// # Errors
    /// A path is not valid, or the directory cannot be written.
    pub fn save(&self, paths: &[&str]) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        self.forget_unsigned(paths)?;
        let key = encoded(&std::path::absolute(self.key.file())?)?;
        let store = format!("{}?compression=zstd&secret-key={key}", self.url()?);
        let shell = Shell::new()?;
        let cmd = self.nix.cmd(&shell, "nix");
        process::capture(cmd.args(["copy", "--to", &store]).args(paths))?;
        Ok(())
    }

    /// Nix copies nothing that a cache has: of these paths, what it has from elsewhere goes.
    fn forget_unsigned(&self, paths: &[&str]) -> Result<()> {
        for path in paths {
            let narinfo = self.directory.join(format!("{}.narinfo", hash_of(path)));
            if narinfo.exists() && !self.is_signed(path)? {
                fs_err::remove_file(narinfo)?;
            }
        }
        Ok(())
    }

    fn is_signed(&self, path: &str) -> Result<bool> {
        let shell = Shell::new()?;
        let cmd = self.nix.cmd(&shell, "nix");
        let cmd = cmd
            .args(["store", "verify", "--no-contents", "--sigs-needed", "1"])
            .args(self.trust())
            .args(["--store", &self.url()?, path]);
        let ((status, _), _) = process::run(cmd, |_| {})?;
        Ok(status.success())
    }

    /// Copies all that the cache has into the store.
    ///
    /// # Errors
    /// Something in it is not signed with the key, or was altered since; what was copied before
    /// that was found is good.
    pub fn restore(&self, run: &dyn Run) -> Result<()> {
        let shell = Shell::new()?;
        let cmd = self.nix.cmd(&shell, "nix");
        let cmd = cmd
            .args(["copy", "--all", "--from", &self.url()?])
            .args(["--option", "require-sigs", "true"])
            .args(self.trust());
        let mut lines = Vec::new();
        let ((status, command), _) = process::watch(run, cmd, |line| {
            lines.extend(line.map(super::log::plain));
        })?;
        run.check_interrupted()?;
        match lines.iter().find(|line| is_refusal(line)) {
            Some(line) if !status.success() => Err(self.refusal(line).failure().into()),
            _ => process::finish(&command, status, &lines),
        }
    }

    fn refusal(&self, line: &str) -> Error {
        Error::NotSigned {
            directory: self.directory.clone(),
            key: self.key.file().to_owned(),
            said: line.trim().trim_start_matches("error: ").to_owned(),
        }
    }

    fn trust(&self) -> [&str; 3] {
        ["--option", "trusted-public-keys", self.key.public()]
    }

    fn url(&self) -> Result<String> {
        Ok(format!("file://{}", encoded(&self.directory)?))
    }
}

fn is_refusal(line: &str) -> bool {
    REFUSALS.iter().any(|refusal| line.contains(refusal))
}

fn encoded(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| {
        Error::NotUtf8 {
            path: path.to_owned(),
        }
        .failure()
    })?;
    Ok(utf8_percent_encode(text, NOT_PATH).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_paths_in_urls() {
        assert_eq!(
            encoded(Path::new("/a b/c+d?e&f%")).unwrap(),
            "/a%20b/c%2Bd%3Fe%26f%25"
        );
        assert_eq!(
            encoded(Path::new("/tmp/x_1.2-3~")).unwrap(),
            "/tmp/x_1.2-3~"
        );
    }

    #[test]
    fn ok_refusals_of_both_versions() {
        for line in [
            "error: cannot add path '/nix/store/x-a' because it lacks a signature by a trusted key",
            "error: Failed to open archive (Zstd decompression failed: Data corruption detected)",
            "error: hash mismatch importing path '/nix/store/x-a';",
            "error: non-zero padding",
            "error: bad archive: input doesn't look like a Nix archive",
        ] {
            assert!(is_refusal(line), "{line}");
        }
        assert!(!is_refusal(
            "error: writing to file: No space left on device"
        ));
    }
}
