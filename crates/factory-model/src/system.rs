//! `package-lists/systems.toml`: the kinds of machine that images are for, and what Debian, OCI
//! and the dynamic loader call each. Nix reads the same file.
//!
//! Pure: text in, types out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::nearest::nearest;
use crate::schema;

/// `package-lists/systems.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systems(Vec<System>);

/// A kind of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// As Nix calls it: `aarch64-linux`.
    pub name: String,
    /// As Debian calls it: `arm64`.
    pub debian: String,
    /// As OCI calls it (`architecture` of an image configuration, GOARCH): `arm64`.
    pub oci: String,
    /// File name of its dynamic loader.
    pub loader: String,
    /// The one whose locks stand in `locks/` itself; those of others have a directory there.
    pub is_default: bool,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u32,
    default: String,
    system: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    debian: String,
    oci: String,
    loader: String,
}

/// What is wrong in `package-lists/systems.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemsError {
    /// It is not TOML, or says something else.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// It is of another version.
    #[error(transparent)]
    Version(#[from] schema::OtherVersion),
    /// A name that Nix does not have.
    #[error("`{0}` is no system of Linux like `aarch64-linux`")]
    Name(String),
    /// The first of them is not there.
    #[error("default names `{0}`, a system that is not defined")]
    NoDefault(String),
}

/// A name that stands for no system of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no system `{name}`; there are {}", .known.join(", "))]
pub struct UnknownSystem {
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: Vec<String>,
}

impl UnknownSystem {
    /// The nearest name, if one is near.
    pub fn hints(&self) -> Vec<String> {
        let near = nearest(&self.name, self.known.iter().map(String::as_str));
        let near = near.first().map(|near| format!("the nearest is `{near}`"));
        near.into_iter().collect()
    }
}

impl Systems {
    /// Where the file is, from the checkout's root.
    pub const FILE: &str = "package-lists/systems.toml";

    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(text: &str) -> Result<Self, SystemsError> {
        let file: File = toml::from_str(text)?;
        schema::check(file.schema_version)?;
        let default = file.default;
        if !file.system.contains_key(&default) {
            return Err(SystemsError::NoDefault(default));
        }
        let mut systems = Vec::new();
        for (name, entry) in file.system {
            let machine = name.strip_suffix("-linux").unwrap_or_default();
            if machine.is_empty() || machine.contains('-') {
                return Err(SystemsError::Name(name));
            }
            systems.push(System {
                is_default: name == default,
                debian: entry.debian,
                oci: entry.oci,
                loader: entry.loader,
                name,
            });
        }
        // The default first: the others are compared with it.
        systems.sort_by_key(|system| !system.is_default);
        Ok(Self(systems))
    }

    /// All of them, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &System> {
        self.0.iter()
    }

    /// The first of them.
    pub fn default(&self) -> &System {
        &self.0[0]
    }

    /// The kind of this machine, if images are for it. What runs on Linux asks.
    pub fn own(&self) -> Option<&System> {
        self.find(&format!("{}-linux", std::env::consts::ARCH)).ok()
    }

    /// The one of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<&System, UnknownSystem> {
        let found = self.0.iter().find(|system| system.name == name);
        found.ok_or_else(|| UnknownSystem {
            name: name.to_owned(),
            known: self.0.iter().map(|system| system.name.clone()).collect(),
        })
    }
}

impl System {
    /// The machine, as wheels and GNU call it: `aarch64`.
    pub fn machine(&self) -> &str {
        self.name.strip_suffix("-linux").unwrap_or(&self.name)
    }

    /// Whether a variant that names these systems is locked for this one; one that names none is
    /// for the default.
    pub fn has_variant(&self, named: &[String]) -> bool {
        match named {
            [] => self.is_default,
            some => some.contains(&self.name),
        }
    }

    /// Whether a rule that names these systems holds on this one; one that names none holds on
    /// all.
    pub fn has_rule(&self, named: &[String]) -> bool {
        named.is_empty() || named.contains(&self.name)
    }

    /// GNU's triplet, after which Debian calls the directory of libraries: `aarch64-linux-gnu`.
    pub fn triplet(&self) -> String {
        format!("{}-linux-gnu", self.machine())
    }

    /// A lock of this system, by its path below `package-lists/locks`: `aarch64-linux/python/slim`.
    pub fn lock_name(&self, name: &str) -> String {
        if self.is_default {
            name.to_owned()
        } else {
            format!("{}/{name}", self.name)
        }
    }

    /// Where what belongs to this system is, in a directory of things of all.
    pub fn below(&self, directory: &Path) -> PathBuf {
        if self.is_default {
            directory.to_owned()
        } else {
            directory.join(&self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
schema_version = 1
default = "x86_64-linux"
[system.aarch64-linux]
debian = "arm64"
oci = "arm64"
loader = "ld-linux-aarch64.so.1"
[system.x86_64-linux]
debian = "amd64"
oci = "amd64"
loader = "ld-linux-x86-64.so.2"
"#;

    #[test]
    fn ok_names_that_follow() {
        let systems = Systems::parse(TEXT).unwrap();
        let names = systems.iter().map(|system| system.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["x86_64-linux", "aarch64-linux"]);
        let (own, other) = (systems.default(), systems.find("aarch64-linux").unwrap());
        assert_eq!(own.lock_name("python/slim"), "python/slim");
        assert_eq!(own.below(Path::new("locks")), Path::new("locks"));
        assert_eq!(other.lock_name("seed"), "aarch64-linux/seed");
        assert_eq!(
            other.below(Path::new("locks")),
            Path::new("locks/aarch64-linux")
        );
        assert_eq!(other.machine(), "aarch64");
        assert_eq!(other.triplet(), "aarch64-linux-gnu");
    }

    #[test]
    fn err_unknown() {
        let unknown = Systems::parse(TEXT).unwrap();
        let unknown = unknown.find("aarch64").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "there is no system `aarch64`; there are x86_64-linux, aarch64-linux"
        );
    }

    #[test]
    fn err_what_is_wrong_in_the_file() {
        let said = |text: String| Systems::parse(&text).unwrap_err().to_string();
        assert_eq!(
            said(TEXT.replace("default = \"x86_64-linux\"", "default = \"x\"")),
            "default names `x`, a system that is not defined"
        );
        assert_eq!(
            said(TEXT.replace("[system.aarch64-linux]", "[system.aarch64-darwin]")),
            "`aarch64-darwin` is no system of Linux like `aarch64-linux`"
        );
        assert_eq!(
            said(TEXT.replace("schema_version = 1", "schema_version = 2")),
            "schema_version is 2, this program reads 1"
        );
    }
}
