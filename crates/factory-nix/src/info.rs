//! What the store knows of its paths, in the form of `nix-store --dump-db`: one that Nix itself
//! reads back (`--load-db`), while that of `nix path-info --json` depends on the version.

use std::collections::BTreeMap;

use anyhow::Result;
use xshell::Shell;

use super::{Error, Nix};
use factory_base::error::Explain as _;
use factory_base::process;

/// What the store knows of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathInfo {
    /// Size of its NAR in bytes.
    pub nar_size: u64,
    /// Store paths it refers to, itself perhaps among them.
    pub references: Vec<String>,
}

impl Nix {
    /// What the store knows of valid paths.
    ///
    /// # Errors
    /// One of them is not valid, or the answer has a form that is not known here.
    pub fn path_infos(&self, paths: &[&str]) -> Result<BTreeMap<String, PathInfo>> {
        if paths.is_empty() {
            // Without a path it is about all of them.
            return Ok(BTreeMap::new());
        }
        let shell = Shell::new()?;
        let cmd = self.cmd(&shell, "nix-store").arg("--dump-db").args(paths);
        let text = process::capture(cmd)?;
        parse(&text).ok_or_else(|| {
            Error::UnknownAnswer {
                command: "nix-store --dump-db",
                version: self.version.clone(),
            }
            .failure()
            .into()
        })
    }
}

/// For each path: itself, NAR hash, NAR size, deriver (may be empty), the number of references,
/// and these; a line each.
fn parse(text: &str) -> Option<BTreeMap<String, PathInfo>> {
    let mut infos = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(path) = lines.next() {
        let _nar_hash = lines.next()?;
        let nar_size = lines.next()?.parse().ok()?;
        let _deriver = lines.next()?;
        let n_references: usize = lines.next()?.parse().ok()?;
        let references: Vec<String> = lines
            .by_ref()
            .take(n_references)
            .map(str::to_owned)
            .collect();
        if references.len() != n_references || !path.starts_with('/') {
            return None;
        }
        let info = PathInfo {
            nar_size,
            references,
        };
        infos.insert(path.to_owned(), info);
    }
    Some(infos)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form of Nix 2.26.3 and 2.34.8.
    #[test]
    fn ok_two_paths() {
        let text = "/nix/store/x-a\n2042\n4264\n\n0\n/nix/store/y-b\n57ed\n17\n/nix/store/z-b.drv\n2\n/nix/store/x-a\n/nix/store/y-b\n";
        let infos = parse(text).unwrap();
        assert_eq!(infos["/nix/store/x-a"].nar_size, 4264);
        assert!(infos["/nix/store/x-a"].references.is_empty());
        assert_eq!(
            infos["/nix/store/y-b"].references,
            ["/nix/store/x-a", "/nix/store/y-b"]
        );
    }

    #[test]
    fn err_another_form() {
        assert_eq!(parse("/nix/store/x-a\n2042\n4264\n\n1\n"), None);
        assert_eq!(parse("{\"a\":1}\n"), None);
    }
}
