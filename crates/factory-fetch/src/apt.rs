//! The Debian mirrors of this machine, and the snapshot archive as the last resort.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::http::Candidate;
use factory_base::process;
use factory_model::deb822::{Stanza, stanzas};

/// Debian's permanent archive: immutable, has every file ever published, and is slow.
/// The only Debian host that is named; all others come from the machine's apt sources.
const SNAPSHOT_ARCHIVE: &str = "https://snapshot.debian.org/archive";

/// Mirrors in the order of the apt sources, and apt's proxy.
#[derive(Debug, PartialEq, Eq)]
pub struct Mirrors {
    /// Archive (`debian`, `debian-security`) and base URI without a final slash.
    bases: Vec<(String, String)>,
    proxy: Option<String>,
    /// Without a final slash.
    snapshot_archive: String,
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
                if !bases.contains(&base) {
                    bases.push(base);
                }
            }
        }
        Ok(Self {
            bases,
            proxy: apt_proxy()?,
            snapshot_archive: SNAPSHOT_ARCHIVE.to_owned(),
        })
    }

    /// The same, with another copy of the snapshot archive.
    pub fn with_snapshot_archive(self, base: &str) -> Self {
        Self {
            snapshot_archive: base.to_owned(),
            ..self
        }
    }

    /// Reads those of this machine.
    ///
    /// # Errors
    /// As [`Mirrors::read`].
    pub fn of_machine() -> Result<Self> {
        Self::read(Path::new("/etc/apt"))
    }

    /// The base URI of an archive in apt's own first source, which may be a `file:` one.
    pub fn base(&self, archive: &str) -> Option<&str> {
        self.bases_of(archive).next()
    }

    /// Where a file of `archive` may be, best first.
    pub fn candidates(&self, archive: &str, path: &str, snapshot: &str) -> Vec<Candidate> {
        let path = encode(path);
        let mirrors = self
            .bases_of(archive)
            .filter(|base| base.starts_with("http"))
            .map(|base| Candidate::Http {
                url: format!("{base}/{path}"),
                proxy: self.proxy.clone(),
            });
        let last = Candidate::url(format!(
            "{}/{archive}/{snapshot}/{path}",
            self.snapshot_archive
        ));
        mirrors.chain([last]).collect()
    }

    /// The place that is asked first for an archive.
    pub fn first_url(&self, archive: &str) -> String {
        self.bases_of(archive)
            .find(|base| base.starts_with("http"))
            .map_or_else(
                || format!("{}/{archive}/", self.snapshot_archive),
                |base| format!("{base}/"),
            )
    }

    fn bases_of(&self, archive: &str) -> impl Iterator<Item = &str> {
        self.bases
            .iter()
            .filter(move |(found, _)| found == archive)
            .map(|(_, base)| base.as_str())
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

/// Code and suite names that only Debian's own archive has.
const SUITES: [&str; 10] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

/// Archives of enabled binary stanzas (deb822(5), sources.list(5)).
fn parse_deb822(text: &str) -> Vec<(String, String)> {
    let is_enabled = |stanza: &Stanza<'_>| {
        !matches!(
            stanza
                .field("Enabled")
                .unwrap_or_default()
                .to_ascii_lowercase()
                .as_str(),
            "no" | "false" | "0" | "off" | "disable" | "without"
        )
    };
    let mut bases = Vec::new();
    for stanza in stanzas(text).filter(is_enabled) {
        if !stanza.words("Types").contains(&"deb") {
            continue;
        }
        for uri in stanza.words("URIs") {
            bases.extend(
                stanza
                    .words("Suites")
                    .iter()
                    .filter_map(|suite| archive(uri, suite)),
            );
        }
    }
    bases
}

/// Archives of `deb [options] URI SUITE COMPONENT…` lines.
fn parse_one_line(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let line = line.split('#').next()?.trim();
            let rest = line.strip_prefix("deb")?;
            if !rest.starts_with([' ', '\t', '[']) {
                return None;
            }
            let mut rest = rest.trim_start();
            if let Some(options) = rest.strip_prefix('[') {
                rest = options.split_once(']')?.1;
            }
            let mut words = rest.split_whitespace();
            archive(words.next()?, words.next()?)
        })
        .collect()
}

/// The archive that a suite belongs to, with its base; `None` for archives not Debian's.
fn archive(uri: &str, suite: &str) -> Option<(String, String)> {
    let code = suite.split(['-', '/']).next().unwrap_or(suite);
    if !SUITES.contains(&code) {
        return None;
    }
    let archive = match &suite[code.len()..] {
        "" | "-updates" | "-proposed-updates" | "-backports" => "debian",
        "-security" | "/updates" => "debian-security",
        _ => return None,
    };
    Some((archive.to_owned(), uri.trim_end_matches('/').to_owned()))
}

/// Pool paths hold `+`, `~` and, in file names, a literal `%`-free text; apt itself sends
/// `+` encoded, and every server takes both.
fn encode(path: &str) -> String {
    path.replace('%', "%25").replace('+', "%2b")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(found: &[(String, String)]) -> Vec<(&str, &str)> {
        found
            .iter()
            .map(|(archive, base)| (archive.as_str(), base.as_str()))
            .collect()
    }

    #[test]
    fn ok_deb822_sources() {
        let text = "# a comment\nTypes: deb deb-src\n# old place\nURIs: http://mirror.test/d/\n http://other.test/debian\nSuites: bookworm\n bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://mirror.test/s\nSuites: bookworm-security\n\nEnabled: No\nTypes: deb\nURIs: http://off.test/debian\nSuites: sid\n\nTypes: deb-src\nURIs: http://src.test/debian\nSuites: sid\n\nTypes: deb\nURIs: http://x.test/ubuntu\nSuites: noble\n";
        assert_eq!(
            pairs(&parse_deb822(text)),
            [
                ("debian", "http://mirror.test/d"),
                ("debian", "http://mirror.test/d"),
                ("debian", "http://other.test/debian"),
                ("debian", "http://other.test/debian"),
                ("debian-security", "http://mirror.test/s"),
            ]
        );
    }

    #[test]
    fn ok_one_line_sources() {
        let text = "# deb http://off.test/debian trixie main\ndeb [arch=amd64 signed-by=/k] http://a.test/debian trixie main # all\ndeb-src http://src.test/debian trixie main\ndeb\thttp://b.test/debian-security stable-security main\ndeb http://other.test/x nodistro main\n";
        assert_eq!(
            pairs(&parse_one_line(text)),
            [
                ("debian", "http://a.test/debian"),
                ("debian-security", "http://b.test/debian-security"),
            ]
        );
    }

    #[test]
    fn ok_mirrors_of_the_archive_then_the_snapshot() {
        let mirrors = Mirrors {
            bases: vec![
                ("debian".to_owned(), "file:/media/debian".to_owned()),
                ("debian".to_owned(), "http://a.test/debian".to_owned()),
                ("debian-security".to_owned(), "http://a.test/s".to_owned()),
            ],
            proxy: Some("http://proxy.test:3142".to_owned()),
            snapshot_archive: SNAPSHOT_ARCHIVE.to_owned(),
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
            "Types: deb\nURIs: http://a.test/debian\nSuites: sid sid-updates\n",
        )
        .unwrap();
        std::fs::write(
            parts.join("b.list.disabled"),
            "deb http://b.test/debian sid main\n",
        )
        .unwrap();
        let mirrors = Mirrors::read(directory.path()).unwrap();
        assert_eq!(pairs(&mirrors.bases), [("debian", "http://a.test/debian")]);
        assert_eq!(mirrors.base("debian"), Some("http://a.test/debian"));
        assert_eq!(mirrors.base("debian-security"), None);
    }
}
