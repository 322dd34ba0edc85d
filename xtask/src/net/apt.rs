//! The Debian mirrors of this machine, and the snapshot archive as the last resort.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::http::Candidate;
use crate::process;

/// Debian's permanent archive: immutable, has every file ever published, and is slow.
/// The only Debian host that is named; all others come from the machine's apt sources.
const SNAPSHOT_ARCHIVE: &str = "https://snapshot.debian.org/archive";

/// Mirrors in the order of the apt sources, and apt's proxy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    bases: Vec<String>,
    proxy: Option<String>,
}

impl Mirrors {
    /// Reads the apt sources below `etc_apt` (`/etc/apt`) and asks apt for its proxy.
    ///
    /// # Errors
    /// A source file exists but cannot be read.
    pub fn read(etc_apt: &Path) -> Result<Self> {
        let mut files = vec![etc_apt.join("sources.list")];
        if let Ok(directory) = fs_err::read_dir(etc_apt.join("sources.list.d")) {
            let mut parts = Vec::new();
            for entry in directory {
                parts.push(entry?.path());
            }
            parts.sort();
            files.extend(parts);
        }
        let mut bases = Vec::new();
        for file in files.iter().filter(|file| file.is_file()) {
            let found = match file.extension().and_then(|extension| extension.to_str()) {
                Some("sources") => parse_deb822(&fs_err::read_to_string(file)?),
                Some("list") => parse_one_line(&fs_err::read_to_string(file)?),
                _ => continue,
            };
            for base in found {
                let base = base.trim_end_matches('/').to_owned();
                if base.starts_with("http") && !bases.contains(&base) {
                    bases.push(base);
                }
            }
        }
        Ok(Self {
            bases,
            proxy: apt_proxy()?,
        })
    }

    /// Reads those of this machine.
    ///
    /// # Errors
    /// As [`Mirrors::read`].
    pub fn of_machine() -> Result<Self> {
        Self::read(Path::new("/etc/apt"))
    }

    /// Where a file of `archive` (`debian`, `debian-security`) may be, best first.
    pub fn candidates(&self, archive: &str, path: &str, snapshot: &str) -> Vec<Candidate> {
        let path = encode(path);
        let mirrors = self
            .bases
            .iter()
            .filter(|base| base.rsplit('/').next() == Some(archive))
            .map(|base| Candidate::Http {
                url: format!("{base}/{path}"),
                proxy: self.proxy.clone(),
            });
        let last = Candidate::url(format!("{SNAPSHOT_ARCHIVE}/{archive}/{snapshot}/{path}"));
        mirrors.chain([last]).collect()
    }

    /// The place that is asked first for an archive.
    pub fn first_url(&self, archive: &str) -> String {
        self.bases
            .iter()
            .find(|base| base.rsplit('/').next() == Some(archive))
            .map_or_else(
                || format!("{SNAPSHOT_ARCHIVE}/{archive}/"),
                |base| format!("{base}/"),
            )
    }

    /// apt's own proxy.
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }
}

/// The proxy of `Acquire::http::Proxy`; `DIRECT` means none.
fn apt_proxy() -> Result<Option<String>> {
    if process::find("apt-config").is_none() {
        return Ok(None);
    }
    let shell = Shell::new()?;
    let dump = process::capture(cmd!(shell, "apt-config dump Acquire::http::Proxy"))?;
    Ok(dump
        .lines()
        .filter_map(|line| line.strip_prefix("Acquire::http::Proxy \""))
        .filter_map(|rest| rest.strip_suffix("\";"))
        .find(|value| !value.is_empty() && *value != "DIRECT")
        .map(str::to_owned))
}

/// URIs of enabled binary stanzas (deb822(5), sources.list(5)).
fn parse_deb822(text: &str) -> Vec<String> {
    let mut bases = Vec::new();
    for stanza in text.split("\n\n") {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in stanza.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let field = |name: &str| {
            fields
                .iter()
                .find(|(found, _)| found == name)
                .map_or("", |(_, value)| value.as_str())
        };
        let is_enabled = !matches!(
            field("enabled").to_ascii_lowercase().as_str(),
            "no" | "false" | "0" | "off" | "disable" | "without"
        );
        if is_enabled && field("types").split_whitespace().any(|word| word == "deb") {
            bases.extend(field("uris").split_whitespace().map(str::to_owned));
        }
    }
    bases
}

/// URIs of `deb [options] URI suite component…` lines.
fn parse_one_line(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("deb"))
        .filter(|rest| rest.starts_with([' ', '\t', '[']))
        .filter_map(|rest| {
            let rest = rest.trim_start();
            let rest = match rest.strip_prefix('[') {
                Some(options) => options.split_once(']')?.1,
                None => rest,
            };
            rest.split_whitespace().next().map(str::to_owned)
        })
        .collect()
}

/// Pool paths hold `+`, `~` and, in file names, a literal `%`-free text; apt itself sends
/// `+` encoded, and every server takes both.
fn encode(path: &str) -> String {
    path.replace('%', "%25").replace('+', "%2b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_deb822_sources() {
        let text = "# a comment\nTypes: deb deb-src\nURIs: http://mirror.test/debian/\n http://other.test/debian\nSuites: stable\n\nEnabled: no\nTypes: deb\nURIs: http://off.test/debian\n\nTypes: deb-src\nURIs: http://src.test/debian\n";
        assert_eq!(
            parse_deb822(text),
            ["http://mirror.test/debian/", "http://other.test/debian"]
        );
    }

    #[test]
    fn ok_one_line_sources() {
        let text = "# deb http://off.test/debian x main\ndeb [arch=amd64 signed-by=/k] http://a.test/debian stable main\ndeb-src http://src.test/debian x\ndeb\thttp://b.test/debian-security stable-security main\n";
        assert_eq!(
            parse_one_line(text),
            ["http://a.test/debian", "http://b.test/debian-security"]
        );
    }

    #[test]
    fn ok_mirrors_of_the_archive_then_the_snapshot() {
        let mirrors = Mirrors {
            bases: vec![
                "http://a.test/debian".to_owned(),
                "http://a.test/debian-security".to_owned(),
                "http://a.test/ubuntu".to_owned(),
            ],
            proxy: Some("http://proxy.test:3142".to_owned()),
        };
        let found: Vec<_> = mirrors
            .candidates(
                "debian",
                "pool/main/g/gcc/g++_1~2_amd64.deb",
                "20260101T000000Z",
            )
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            "http://a.test/debian/pool/main/g/gcc/g%2b%2b_1~2_amd64.deb"
        );
        assert_eq!(
            found[1],
            format!(
                "{SNAPSHOT_ARCHIVE}/debian/20260101T000000Z/pool/main/g/gcc/g%2b%2b_1~2_amd64.deb"
            )
        );
    }

    #[test]
    fn ok_reads_only_enabled_files() {
        let directory = tempfile::tempdir().unwrap();
        let parts = directory.path().join("sources.list.d");
        std::fs::create_dir(&parts).unwrap();
        std::fs::write(
            parts.join("a.sources"),
            "Types: deb\nURIs: http://a.test/debian\n",
        )
        .unwrap();
        std::fs::write(
            parts.join("b.list.disabled"),
            "deb http://b.test/debian x\n",
        )
        .unwrap();
        std::fs::write(parts.join("c.list"), "deb file:/media/x stable main\n").unwrap();
        let mirrors = Mirrors::read(directory.path()).unwrap();
        assert_eq!(mirrors.bases, ["http://a.test/debian"]);
    }
}
