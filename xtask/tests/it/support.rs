//! A context whose directories are temporary.

use std::path::Path;
use std::process::Command;

use factory_nix::Nix;
use tempfile::TempDir;
use xtask::ctx::Ctx;
use xtask::ui::Ui;

use crate::skips::skip;

/// A context with its own cache and data, removed with it.
pub struct Sandbox {
    /// The context.
    pub ctx: Ctx,
    /// Everything of this test.
    pub directory: TempDir,
}

impl Sandbox {
    /// Made below the target directory: `/tmp` may be small or mounted `noexec`.
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("xtask-it-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let mut ctx = Ctx::new(Ui::new(false, false, true), false, false).unwrap();
        ctx.cache = directory.path().join("cache");
        ctx.data = directory.path().join("data");
        Self { ctx, directory }
    }

    /// A real Nix with a store of its own. `None`, and a skip, where the
    /// machine has neither Nix nor a Debian mirror. The provided Nix is shared by the tests,
    /// as unpacking it takes seconds.
    pub fn nix(&self) -> Option<Nix> {
        shared_nix().map(|nix| nix.with_store(&self.directory.path().join("store")))
    }
}

/// The Nix of all tests, with the store that it uses by itself. `None`, and a skip, where
/// there is none.
pub fn shared_nix() -> Option<&'static Nix> {
    match find_nix() {
        Ok(nix) => Some(nix),
        Err(why) => {
            skip(why);
            None
        }
    }
}

/// As [`shared_nix`], for a test that can do without.
pub fn known_nix() -> Option<&'static Nix> {
    find_nix().as_ref().ok()
}

/// The error is why there is none.
fn find_nix() -> &'static Result<Nix, String> {
    static NIX: std::sync::OnceLock<Result<Nix, String>> = std::sync::OnceLock::new();
    NIX.get_or_init(|| {
        let tests = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let mut shared = Ctx::new(Ui::new(false, false, true), false, false).unwrap();
        shared.cache = tests.join("shared-cache");
        shared.data = tests.join("shared-data");
        match Nix::find_or_provide(&shared) {
            Ok(nix) => Ok(nix),
            Err(error) => {
                assert_eq!(
                    factory_base::error::kind_of(&error),
                    factory_base::error::Kind::Environment,
                    "{error:#}"
                );
                Err(format!("no Nix can be had here: {error:#}"))
            }
        }
    })
}

impl Drop for Sandbox {
    /// Store paths are read-only directories, which only root could remove as they are.
    fn drop(&mut self) {
        for entry in walkdir(self.directory.path()) {
            if entry.is_dir() && !entry.is_symlink() {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = std::fs::Permissions::from_mode(0o755);
                if let Err(error) = std::fs::set_permissions(&entry, mode) {
                    eprintln!("cannot make {} removable: {error}", entry.display());
                }
            }
        }
    }
}

fn walkdir(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![root.to_owned()];
    if let Ok(entries) = std::fs::read_dir(root) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(walkdir(&entry.path()));
            }
        }
    }
    found
}

/// Lets a command find the programs of a directory before all others.
pub(crate) fn put_first_on_path(command: &mut Command, directory: &Path) {
    // The tests' Nix is on the program's own.
    let own = command.get_envs().find(|(name, _)| *name == "PATH");
    let path = own.and_then(|(_, path)| path).map(|path| path.to_owned());
    let path = path.or_else(|| std::env::var_os("PATH")).unwrap();
    let path = path.into_string().unwrap();
    command.env("PATH", format!("{}:{path}", directory.display()));
}
