//! The packages that the mirrors have now, from their verified indexes. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::apt::Chosen;
use super::config::Config;
use super::error::Error;
use factory_model::deb822::{Stanza, stanzas};
use factory_model::lock::DebianPackage;

/// Names and versions of packages.
pub(super) type Versions<'a> = BTreeMap<&'a str, &'a str>;

/// A package of the indexes.
struct Indexed<'a> {
    suite: &'a str,
    stanza: Stanza<'a>,
}

/// Packages by name and version.
pub(super) struct Index<'a>(BTreeMap<(&'a str, &'a str), Indexed<'a>>);

impl<'a> Index<'a> {
    /// Reads the `Packages` files of suites, the preferred suite first.
    pub fn new(texts: &'a [(String, String)]) -> Result<Self, Error> {
        let mut index = BTreeMap::new();
        for (suite, text) in texts {
            for stanza in stanzas(text) {
                let (Some(name), Some(version)) =
                    (stanza.field("Package"), stanza.field("Version"))
                else {
                    let suite = suite.clone();
                    return Err(Error::NamelessStanza { suite });
                };
                // A version that is in two suites is the same file; the first suite names it.
                index
                    .entry((name, version))
                    .or_insert(Indexed { suite, stanza });
            }
        }
        Ok(Self(index))
    }

    /// A dpkg status in which these packages are installed.
    pub fn status(&self, present: &Versions<'_>) -> Result<String, Error> {
        let mut text = String::new();
        for (name, version) in present {
            let package = self.0.get(&(*name, *version)).ok_or_else(|| {
                let offered = self.0.keys().filter(|(offered, _)| offered == name);
                Error::Superseded {
                    name: (*name).to_owned(),
                    version: (*version).to_owned(),
                    offered: offered.map(|(_, other)| (*other).to_owned()).collect(),
                }
            })?;
            writeln!(text, "{}\nStatus: install ok installed\n", package.stanza.0)
                .expect("writing to a String cannot fail");
        }
        Ok(text)
    }

    /// What a lock says of a package.
    pub fn locked(
        &self,
        package: &Chosen,
        config: &Config,
        snapshots: &BTreeMap<String, String>,
        default_snapshot: &str,
    ) -> Result<DebianPackage, Error> {
        let Chosen { name, version } = package;
        let indexed = self
            .0
            .get(&(name.as_str(), version.as_str()))
            .ok_or_else(|| Error::NotInIndex {
                name: name.clone(),
                version: version.clone(),
            })?;
        let field = |field: &'static str| {
            let name = name.clone();
            let value = indexed.stanza.field(field);
            value.ok_or(Error::NoField { name, field })
        };
        let wrong = |field: &'static str, problem: String| Error::BadField {
            name: name.clone(),
            field,
            problem,
        };
        let mut suites = config.suites.iter();
        let suite = suites
            .find(|suite| suite.name == indexed.suite)
            .ok_or_else(|| Error::UnexpectedLine {
                line: format!("`{}`, a suite that nobody asked for", indexed.suite),
            })?;
        let snapshot = snapshots.get(&suite.name).ok_or_else(|| Error::NoDate {
            suite: suite.name.clone(),
        })?;
        Ok(DebianPackage {
            name: name.clone(),
            version: version.clone(),
            archive: suite.archive.clone(),
            path: field("Filename")?.to_owned(),
            size: field("Size")?
                .parse()
                .map_err(|error| wrong("Size", format!("{error}")))?,
            sha256: field("SHA256")?
                .parse()
                .map_err(|error| wrong("SHA256", format!("{error}")))?,
            snapshot: (snapshot != default_snapshot).then(|| snapshot.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::system;
    use factory_base::error::{Explain as _, Kind};

    fn texts(packages: &str) -> Vec<(String, String)> {
        vec![("trixie".to_owned(), packages.to_owned())]
    }

    #[test]
    fn err_superseded_pin_names_both_versions_and_the_command() {
        let texts = texts(
            "Package: libc6\nVersion: 2.41-12+deb13u1\n\nPackage: libc-bin\nVersion: 2.41-12\n",
        );
        let index = Index::new(&texts).unwrap();
        let message = |name, version| {
            let error = index
                .status(&BTreeMap::from([(name, version)]))
                .unwrap_err();
            format!("{error}\nhint: {}", error.hints().join(""))
        };
        insta::assert_snapshot!(message("libc6", "2.41-12"), @"
        the mirror no longer has `libc6` 2.41-12, which a lower root has locked, but 2.41-12+deb13u1
        hint: run `cargo xtask update-locks --upgrade-package libc6`
        ");
        insta::assert_snapshot!(message("gone", "1"), @"
        the mirror no longer has `gone` 1, which a lower root has locked, and has no other version of it
        hint: run `cargo xtask update-locks --upgrade-package gone`
        ");
        assert!(
            index
                .status(&BTreeMap::from([("libc-bin", "2.41-12")]))
                .is_ok()
        );
    }

    #[test]
    fn err_what_a_mirror_got_wrong_is_no_bug_of_ours() {
        let config = r#"
schema_version = 1
keyring = { archive = "debian", path = "k.deb", size = 1, sha256 = "ZEROS", member = "k.gpg" }
suite = [{ name = "trixie", archive = "debian" }]
root = {}
"#;
        let config = Config::parse(
            &config.replace("ZEROS", &"0".repeat(64)),
            &system("x86_64-linux"),
        )
        .unwrap();
        let snapshots = BTreeMap::from([("trixie".to_owned(), "20261121T125303Z".to_owned())]);
        let chosen = Chosen {
            name: "a".into(),
            version: "1".into(),
        };
        let locked = |rest: &str| {
            let texts = texts(&format!("Package: a\nVersion: 1\n{rest}"));
            let index = Index::new(&texts)?;
            index.locked(&chosen, &config, &snapshots, "20261121T125303Z")
        };
        let zeros = "0".repeat(64);
        let good = format!("Filename: pool/a.deb\nSize: 7\nSHA256: {zeros}\n");
        assert_eq!(locked(&good).unwrap().size, 7);
        for (rest, said) in [
            (
                good.replace("SHA256", "MD5sum"),
                "the index entry of `a` has no `SHA256`",
            ),
            (
                good.replace(&zeros, "00"),
                "the index entry of `a` has a wrong `SHA256`: `00` is not a SHA-256 in hex (64 digits)",
            ),
            (
                good.replace("Size: 7", "Size: x"),
                "the index entry of `a` has a wrong `Size`: invalid digit found in string",
            ),
            (
                format!("{good}\nPackage: b\n"),
                "the package index of `trixie` has a stanza without name or version",
            ),
        ] {
            let error = locked(&rest).unwrap_err();
            assert_eq!(error.to_string(), said);
            assert_eq!(error.kind(), Kind::Environment, "{said}");
            assert!(!error.hints().is_empty(), "{said}");
        }
    }
}
