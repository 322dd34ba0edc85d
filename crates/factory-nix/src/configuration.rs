//! The configuration of the provided Nix.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use factory_base::fs::write_atomic;

/// Settings of `/etc/nix/nix.conf` that the provided Nix keeps: where to look for built paths, and
/// who else builds.
const INHERITED: [&str; 9] = [
    "builders",
    "builders-use-substitutes",
    "extra-platforms",
    "substituters",
    "extra-substituters",
    "trusted-public-keys",
    "extra-trusted-public-keys",
    "netrc-file",
    "ssl-cert-file",
];

/// Writes it. A file of the user's own
/// (`~/.config/nix/nix.conf`) is read by Nix after it, and wins.
pub(super) fn write_configuration(path: &Path, busybox: &Path) -> Result<()> {
    let mut text = format!(
        "# Written by `cargo xtask`.\n\
         experimental-features = nix-command flakes\n\
         build-users-group =\n\
         sandbox = true\n\
         sandbox-fallback = false\n\
         sandbox-paths = /bin/sh={}\n\
         substituters =\n\
         flake-registry =\n\
         max-jobs = auto\n\
         cores = 0\n\
         warn-dirty = false\n\
         auto-optimise-store = false\n",
        busybox.display()
    );
    let system = Path::new("/etc/nix/nix.conf");
    if system.is_file() {
        for line in inherited(&fs_err::read_to_string(system)?) {
            writeln!(text, "{line}")?;
        }
    }
    let is_same = fs_err::read_to_string(path).is_ok_and(|old| old == text);
    if !is_same {
        write_atomic(path, text.as_bytes())?;
    }
    Ok(())
}

fn inherited(system: &str) -> Vec<&str> {
    system
        .lines()
        .filter(|line| {
            line.split_once('=')
                .is_some_and(|(name, _)| INHERITED.contains(&name.trim()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_only_substituters_are_inherited() {
        assert_eq!(
            inherited(
                "# x\nsandbox = false\nsubstituters = https://cache.test\nbuild-users-group = nixbld\ntrusted-public-keys = a:b\n"
            ),
            [
                "substituters = https://cache.test",
                "trusted-public-keys = a:b"
            ]
        );
    }
}
