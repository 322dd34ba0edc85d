//! uv's two outputs as values: the annotated list gives the edges, the PEP 751 file the
//! files. Pure.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::error::Error;
use super::name::PackageName;
use super::wheel::{ParseWheelError, Target, WheelFilename};
use factory_model::lock::{DistributionKind, ParseSha256Error, Sha256};

/// One resolved project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// PEP 440.
    pub version: String,
    /// Lists that name it: `pak3.txt`.
    pub lists: BTreeSet<String>,
    /// Projects that require it.
    pub parents: BTreeSet<PackageName>,
}

/// Reads `uv pip compile --annotation-style line`:
/// `NAME==VERSION  # via PARENT, -r LIST.txt`.
pub(super) fn parse_annotated(text: &str) -> Result<BTreeMap<PackageName, Node>, Error> {
    let mut nodes = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let unexpected = || Error::UnexpectedLine {
            line: line.to_owned(),
        };
        let (requirement, via) = line
            .split_once("# via ")
            .map_or((line, ""), |(requirement, via)| (requirement.trim(), via));
        let (name, version) = if let Some((name, version)) = requirement.split_once("==") {
            (name, version.to_owned())
        } else if let Some((name, url)) = requirement.split_once(" @ ") {
            let wheel = wheel_of(&file_of(url))?;
            (name, wheel.version().to_owned())
        } else {
            return Err(unexpected());
        };
        let mut node = Node {
            version,
            lists: BTreeSet::new(),
            parents: BTreeSet::new(),
        };
        for source in via.split(", ").map(str::trim).filter(|via| !via.is_empty()) {
            if let Some(list) = source.strip_prefix("-r ") {
                let list = list.rsplit('/').next().unwrap_or(list);
                node.lists.insert(list.to_owned());
            } else if !source.starts_with('-') {
                node.parents
                    .insert(source.parse().map_err(|_| unexpected())?);
            }
        }
        nodes.insert(name.parse().map_err(|_| unexpected())?, node);
    }
    Ok(nodes)
}

/// The one file that was chosen for a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub version: String,
    pub kind: DistributionKind,
    pub file: String,
    pub url: String,
    pub size: Option<u64>,
    pub sha256: Sha256,
    /// The wheel has no platform.
    pub pure: bool,
}

impl Chosen {
    /// A wheel that was compiled for a platform.
    pub(super) fn is_native_wheel(&self) -> bool {
        self.kind == DistributionKind::Wheel && !self.pure
    }
}

#[derive(Deserialize)]
struct Pylock {
    packages: Vec<PylockPackage>,
}

#[derive(Deserialize)]
struct PylockPackage {
    name: PackageName,
    version: Option<String>,
    #[serde(default)]
    wheels: Vec<PylockFile>,
    sdist: Option<PylockFile>,
    archive: Option<PylockFile>,
}

#[derive(Deserialize)]
struct PylockFile {
    name: Option<String>,
    url: Option<String>,
    size: Option<u64>,
    hashes: BTreeMap<String, String>,
}

/// Why a project has no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoFile {
    pub name: PackageName,
    pub version: String,
    /// Wheels that exist but do not fit.
    pub wheels: Vec<String>,
}

/// Chooses one file per project of a PEP 751 lock: the best wheel, else the sdist.
pub(super) fn choose(
    text: &str,
    target: Target<'_>,
) -> Result<(BTreeMap<PackageName, Chosen>, Vec<NoFile>), Error> {
    let lock: Pylock = toml::from_str(text).map_err(|error: toml::de::Error| {
        let problem = error.to_string();
        Error::BadPylock { problem }
    })?;
    let mut chosen = BTreeMap::new();
    let mut missing = Vec::new();
    for package in lock.packages {
        let mut wheels: Vec<(WheelFilename, &PylockFile)> = Vec::new();
        let archive = package.archive.as_ref();
        let archived = archive.filter(|file| file.file_name().ends_with(".whl"));
        for file in package.wheels.iter().chain(archived) {
            wheels.push((wheel_of(&file.file_name())?, file));
        }
        let best = wheels
            .iter()
            .filter(|(wheel, _)| wheel.fit(target).is_some())
            .max_by(|(a, _), (b, _)| a.compare(b, target));
        let version = |wheel: Option<&WheelFilename>| {
            package
                .version
                .clone()
                .or_else(|| wheel.map(|wheel| wheel.version().to_owned()))
                .unwrap_or_default()
        };
        let found = match (best, &package.sdist) {
            (Some((wheel, file)), _) => file.chosen(
                version(Some(wheel)),
                DistributionKind::Wheel,
                wheel.is_pure(),
            )?,
            (None, Some(file)) => file.chosen(version(None), DistributionKind::Sdist, false)?,
            (None, None) => {
                missing.push(NoFile {
                    version: version(None),
                    wheels: wheels.iter().map(|(wheel, _)| wheel.to_string()).collect(),
                    name: package.name,
                });
                continue;
            }
        };
        chosen.insert(package.name, found);
    }
    Ok((chosen, missing))
}

impl PylockFile {
    fn file_name(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| file_of(self.url.as_deref().unwrap_or_default()))
    }

    fn chosen(&self, version: String, kind: DistributionKind, pure: bool) -> Result<Chosen, Error> {
        let file = self.file_name();
        let Some(sha256) = self.hashes.get("sha256") else {
            return Err(Error::NoSha256 { file });
        };
        let sha256 = sha256.parse().map_err(|error: ParseSha256Error| {
            let (file, problem) = (file.clone(), error.to_string());
            Error::BadSha256 { file, problem }
        })?;
        Ok(Chosen {
            version,
            kind,
            url: self.url.clone().unwrap_or_default(),
            size: self.size,
            sha256,
            pure,
            file,
        })
    }
}

/// The file name at the end of a URL: `%2B` of a local version is a plus.
pub(super) fn file_of(url: &str) -> String {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

fn wheel_of(file: &str) -> Result<WheelFilename, Error> {
    file.parse().map_err(|error: ParseWheelError| {
        let problem = error.to_string();
        Error::BadWheelName { problem }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use factory_base::error::{Explain as _, Kind};

    #[test]
    fn ok_annotated() {
        let text = "accelerate==1.15.0   # via peft, -r lists/pak3.txt\npeft==1.0 # via -r pak5.txt, -c c.txt\n";
        let nodes = parse_annotated(text).unwrap();
        let node = &nodes[&"accelerate".parse().unwrap()];
        assert_eq!(node.version, "1.15.0");
        assert!(node.lists.contains("pak3.txt"));
        assert_eq!(node.parents.len(), 1);
        assert!(nodes[&"peft".parse().unwrap()].parents.is_empty());
    }

    #[test]
    fn ok_wheel_before_sdist_and_local_version() {
        let text = r#"
lock-version = "1.0"
[[packages]]
name = "torch"
version = "2.10.0+cu130"
wheels = [{ url = "https://h.example/torch-2.10.0%2Bcu130-cp314-cp314-manylinux_2_28_x86_64.whl", size = 3, hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000001" } }]
sdist = { url = "https://h.example/torch-2.10.0.tar.gz", size = 1, hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000002" } }
"#;
        let target = |free| Target {
            abi: super::super::wheel::Abi {
                minor: 14,
                free_threaded: free,
            },
            glibc_minor: 41,
            machine: "x86_64",
        };
        let name = "torch".parse().unwrap();
        let (chosen, _) = choose(text, target(false)).unwrap();
        assert_eq!(
            chosen[&name].file,
            "torch-2.10.0+cu130-cp314-cp314-manylinux_2_28_x86_64.whl"
        );
        let (chosen, _) = choose(text, target(true)).unwrap();
        assert_eq!(chosen[&name].kind, DistributionKind::Sdist);
    }

    #[test]
    fn err_what_an_index_got_wrong_is_no_bug_of_ours() {
        let lock = |file: &str, hashes: &str| {
            let text = format!(
                "[[packages]]\nname = 'a'\nversion = '1'\nwheels = [{{ name = '{file}', hashes = {{ {hashes} }} }}]"
            );
            let abi = super::super::wheel::Abi {
                minor: 14,
                free_threaded: true,
            };
            let (glibc_minor, machine) = (41, "x86_64");
            let target = Target {
                abi,
                glibc_minor,
                machine,
            };
            choose(&text, target)
        };
        let (wheel, zeros) = ("a-1-py3-none-any.whl", "0".repeat(64));
        assert!(lock(wheel, &format!("sha256 = '{zeros}'")).is_ok());
        for (file, hashes, said) in [
            (
                wheel,
                "md5 = '00'",
                "the index gives no SHA-256 for `a-1-py3-none-any.whl`",
            ),
            (
                wheel,
                "sha256 = 'zz'",
                "the index gives a wrong SHA-256 for `a-1-py3-none-any.whl`: `zz` is not a SHA-256 in hex (64 digits)",
            ),
            (
                "a-1.whl",
                "md5 = '00'",
                "the index has a wheel that cannot be one: `a-1.whl` is not a wheel file name: it must have five or six parts",
            ),
        ] {
            let error = lock(file, hashes).unwrap_err();
            assert_eq!(error.to_string(), said);
            assert_eq!(error.kind(), Kind::Environment, "{said}");
            assert!(!error.hints().is_empty(), "{said}");
        }
    }

    #[test]
    fn ok_file_names_of_urls() {
        assert_eq!(
            file_of("https://h.example/a%2Bcu130-1.whl#sha256=00"),
            "a+cu130-1.whl"
        );
        assert_eq!(file_of("https://h.example/d/100%.whl?x"), "100%.whl");
    }
}
