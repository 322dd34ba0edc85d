//! A copy of this checkout, for changes that a user would make.

use std::path::PathBuf;
use std::process::Command;

use crate::fixture::{Ran, nix_program, set_apart};
use crate::support::Sandbox;

/// A copy of what git tracks, in a repository of its own.
pub(crate) struct Copy {
    pub(crate) sandbox: Sandbox,
}

impl Copy {
    pub(crate) fn new() -> Self {
        let mut sandbox = Sandbox::new();
        let root = sandbox.directory.path().join("checkout");
        let tracked = Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(&sandbox.ctx.root)
            .output()
            .unwrap();
        assert!(tracked.status.success());
        for file in String::from_utf8(tracked.stdout)
            .unwrap()
            .split_terminator('\0')
        {
            let from = sandbox.ctx.root.join(file);
            // Deleted, and not committed yet.
            let Ok(metadata) = from.symlink_metadata() else {
                continue;
            };
            let to = root.join(file);
            fs_err::create_dir_all(to.parent().unwrap()).unwrap();
            if metadata.is_symlink() {
                let target = fs_err::read_link(&from).unwrap();
                fs_err::os::unix::fs::symlink(target, &to).unwrap();
            } else {
                fs_err::copy(&from, &to).unwrap();
            }
        }
        sandbox.ctx.root = root;
        let copy = Self { sandbox };
        copy.git(&["init", "-q"]);
        copy.git(&["add", "-A"]);
        copy
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.sandbox.ctx.root.join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs_err::read_to_string(self.path(file)).unwrap()
    }

    /// Writes a file and lets git know of it, for Nix sees no other.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self.git(&["add", file]);
    }

    fn git(&self, arguments: &[&str]) {
        let status = Command::new("git")
            .args(arguments)
            .current_dir(&self.sandbox.ctx.root)
            .status();
        assert!(status.unwrap().success());
    }

    /// The program in this checkout, with caches of its own and the tests' Nix.
    pub(crate) fn xtask(&self, arguments: &[&str]) -> Ran {
        self.run(Command::new(env!("CARGO_BIN_EXE_xtask")), arguments)
    }

    /// `nix`, in this checkout.
    pub(crate) fn nix(&self, arguments: &[&str]) -> Ran {
        self.run(nix_program("nix"), arguments)
    }

    fn run(&self, mut command: Command, arguments: &[&str]) -> Ran {
        command.args(arguments).current_dir(&self.sandbox.ctx.root);
        set_apart(&mut command, self.sandbox.directory.path());
        Ran::new(command.output().unwrap())
    }
}
