//! The committed locks as types: registry, file name, size and SHA-256, never a host.
//!
//! Pure: text in, types out. Nix reads the same files with `builtins.fromTOML`. [`text`] writes
//! every lock with a checksum of its lines, and [`parse`] says whether it still holds.

mod diff;
mod names;
mod seal;
mod sha256;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use diff::{Diff, Entry, diff};
pub use seal::{Sealed, is_sealed, parse, text};
pub use sha256::{ParseSha256Error, Sha256, SriSha256};

/// First lines of each lock file.
const PREAMBLE: &str = "# Written by `cargo xtask update-locks`; do not edit.\n";

/// `package-lists/locks/debian/ROOT.toml`: what one Debian root adds to the root it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianLock {
    /// 1.
    pub schema_version: u32,
    /// Name of the root this one stands on; absent for a root from nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// SHA-256 of the list this was resolved from, so that `--check` needs no network.
    pub list_sha256: Sha256,
    /// Snapshot time (`20261122T000000Z`) at which the permanent archive has each file
    /// that names no time of its own.
    pub snapshot: String,
    /// Sorted by name.
    #[serde(default, rename = "package")]
    pub packages: Vec<DebianPackage>,
}

/// One binary package of Debian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianPackage {
    /// Binary package name.
    pub name: String,
    /// Version with epoch, as in the Packages index.
    pub version: String,
    /// Which archive: `debian` or `debian-security`.
    pub archive: String,
    /// Path below the archive: `pool/main/…_amd64.deb`.
    pub path: String,
    /// Size of the deb in bytes.
    pub size: u64,
    /// Hash of the deb.
    pub sha256: Sha256,
    /// Snapshot time of a file whose suite moves apart from the lock's first suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

impl DebianLock {
    /// What [`diff`] compares.
    pub fn entries(&self) -> Vec<Entry> {
        self.packages
            .iter()
            .map(|package| Entry {
                name: package.name.clone(),
                version: package.version.clone(),
                layer: None,
                size: Some(package.size),
                hash: package.sha256.to_string(),
            })
            .collect()
    }
}

/// `package-lists/locks/python/VARIANT.toml`: every distribution of one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonLock {
    /// 1.
    pub schema_version: u32,
    /// ABI tag of the interpreter it was resolved for: `cp314t`.
    pub python: String,
    /// SHA-256 over the lists, constraints and variant definition it was resolved from.
    pub list_sha256: Sha256,
    /// SHA-256 of what `wheel-files.toml` said when its shared files were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wheel_files_sha256: Option<Sha256>,
    /// Packages whose wheel no server would show, sorted: what they share with others is not
    /// known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Sorted by name.
    #[serde(default, rename = "package")]
    pub packages: Vec<PythonPackage>,
    /// Packages from git trees of `locks/sources.toml`, sorted by name.
    #[serde(default, rename = "git", skip_serializing_if = "Vec::is_empty")]
    pub git: Vec<PythonGit>,
    /// ComfyUI and its custom nodes: git trees that layer 12 places, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundle: Vec<PythonGit>,
    /// Names whose files another package brings, sorted by name.
    #[serde(default, rename = "provided", skip_serializing_if = "Vec::is_empty")]
    pub provided: Vec<PythonProvided>,
}

impl PythonLock {
    /// What [`diff`] compares.
    pub fn entries(&self) -> Vec<Entry> {
        let packages = self.packages.iter().map(|package| Entry {
            name: package.name.clone(),
            version: package.version.clone(),
            layer: Some(package.layer.clone()),
            size: package.size,
            hash: package.sha256.to_string(),
        });
        // Their revisions and hashes are those of `locks/sources.toml`.
        let trees = self.git.iter().chain(&self.bundle).map(|tree| Entry {
            name: tree.name.clone(),
            version: "from git".to_owned(),
            layer: Some(tree.layer.clone()),
            size: None,
            hash: String::new(),
        });
        packages.chain(trees).collect()
    }
}

/// A git tree of one variant: a Python package, or a part of ComfyUI's bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonGit {
    /// Name in `locks/sources.toml`, table `git`.
    pub name: String,
    /// The layer whose list names it.
    pub layer: String,
    /// Normalized names of its direct dependencies in this lock.
    #[serde(default)]
    pub dependencies: Vec<String>,
}

/// A name that gets metadata only (a dist-info directory): `by` brings the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonProvided {
    /// Normalized name that other packages require.
    pub name: String,
    /// The version of `by`.
    pub version: String,
    /// The layer of `by`.
    pub layer: String,
    /// Normalized name of the package with the files.
    pub by: String,
}

/// One distribution: the one file that was chosen for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonPackage {
    /// Normalized name (PEP 503).
    pub name: String,
    /// Version (PEP 440).
    pub version: String,
    /// The earliest layer that needs it: `05-pak3`.
    pub layer: String,
    /// Whether a list names it; otherwise it came as a dependency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requested: bool,
    /// `wheel` or `sdist`.
    pub kind: DistributionKind,
    /// File name in the registry.
    pub file: String,
    /// Size in bytes; absent where only the hash is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Hash of the file.
    pub sha256: Sha256,
    /// Where the file is, when it is not in the user's Python index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Normalized names of its direct dependencies in this lock.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// Files that the image has from another package already, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<SharedFile>,
}

/// A large file with the bytes of another one: the image has a link in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedFile {
    /// Below `site-packages`, or below the toolkit's directory for a CUDA wheel.
    pub path: String,
    /// Normalized name of the package with the file, in the same layer or a lower one.
    pub owner: String,
    /// As `path`, of the owner's file.
    pub owner_path: String,
}

/// Built or source distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DistributionKind {
    /// A wheel that the interpreter can load.
    Wheel,
    /// A source distribution, built by a recipe in `nix/`.
    Sdist,
}

/// How many digits of a revision people are shown.
const SHORT_REVISION: usize = 12;

/// `package-lists/locks/sources.toml`: tarballs and git trees, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcesLock {
    /// 1.
    pub schema_version: u32,
    /// Upstream tarballs.
    #[serde(default)]
    pub tarball: BTreeMap<String, Tarball>,
    /// Git trees.
    #[serde(default)]
    pub git: BTreeMap<String, GitTree>,
    /// Model weights that layer 12 places.
    #[serde(default)]
    pub weights: BTreeMap<String, Weights>,
}

impl SourcesLock {
    /// What [`diff`] compares.
    pub fn entries(&self) -> Vec<Entry> {
        let source = |name: &String, version: &str, size, hash: String| Entry {
            name: name.clone(),
            version: version.to_owned(),
            layer: None,
            size,
            hash,
        };
        let tarballs = self.tarball.iter().map(|(name, tarball)| {
            let hash = tarball.sha256.to_string();
            source(name, &tarball.version, Some(tarball.size), hash)
        });
        let trees = self.git.iter().map(|(name, tree)| {
            let rev = tree.rev.get(..SHORT_REVISION).unwrap_or(&tree.rev);
            source(name, rev, None, tree.nar_hash.to_string())
        });
        let weights = self.weights.iter().flat_map(|(name, weights)| {
            let files = weights.files.iter();
            files.map(move |(file, hash)| source(file, name, None, hash.to_string()))
        });
        tarballs.chain(trees).chain(weights).collect()
    }
}

/// Some files of one revision of a git repository, fetched one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// URL of the directory that holds the files.
    pub url: String,
    /// Directory below ComfyUI's `models/`.
    pub directory: String,
    /// Hash of each file, by file name.
    pub files: BTreeMap<String, SriSha256>,
}

/// One upstream file with every place that serves the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tarball {
    /// Upstream version.
    pub version: String,
    /// File name.
    pub file: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the file.
    pub sha256: Sha256,
    /// Where to look, in this order.
    pub origins: Vec<Origin>,
}

/// What a git tree is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitKind {
    /// A Python package.
    Python,
    /// ComfyUI itself.
    Comfyui,
    /// A custom node of ComfyUI.
    CustomNode,
    /// What only builds need.
    Build,
}

/// One git tree, submodules included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitTree {
    /// Clone URL (a git forge is not a package registry in the sense of the host rule).
    pub url: String,
    /// Full revision, 40 hex digits.
    pub rev: String,
    /// NAR hash of the tree without `.git`.
    pub nar_hash: SriSha256,
    /// Whether submodules are part of the tree.
    #[serde(default)]
    pub submodules: bool,
    /// What it is for.
    pub kind: GitKind,
    /// Directory below `custom_nodes/`, for nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_dir: Option<String>,
    /// Why a node cannot be imported on a machine without a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_fails: Option<String>,
    /// What a Python package requires (PEP 508); its built metadata says this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

/// Where a fixed output comes from. The same JSON stands in the `origins`
/// attribute of each fixed-output derivation, so `fetch` needs nothing but the derivation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "registry", rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// A file of a Debian archive, from the machine's apt mirrors or the snapshot archive.
    Debian {
        /// `debian` or `debian-security`.
        archive: String,
        /// Path below the archive.
        path: String,
        /// Time in the snapshot archive.
        snapshot: String,
    },
    /// A file of the user's Python index.
    Pypi {
        /// Normalized project name.
        project: String,
        /// File name.
        file: String,
    },
    /// A crate, from cargo's own registry cache.
    Crates {
        /// Crate name.
        name: String,
        /// Version.
        version: String,
    },
    /// A file of an upstream project that is not a package registry.
    Url {
        /// The whole URL.
        url: String,
    },
    /// A git tree, cloned by the user's git.
    Git {
        /// Clone URL.
        url: String,
        /// Full revision.
        rev: String,
        /// Whether submodules are part of the tree.
        submodules: bool,
    },
    /// The executable `path` of a Debian package, kept executable: the one seed binary.
    #[serde(rename = "deb-member")]
    DebMember {
        /// `debian` or `debian-security`.
        archive: String,
        /// Path of the deb below the archive.
        path: String,
        /// Time in the snapshot archive.
        snapshot: String,
        /// SHA-256 of the deb.
        deb_sha256: Sha256,
        /// Size of the deb in bytes.
        deb_size: u64,
        /// Member of the deb's data archive, without leading `./`.
        member: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a lock with all that it can hold")]
    fn ok_golden_python() {
        let lock = PythonLock {
            schema_version: 1,
            python: "cp314t".into(),
            list_sha256: Sha256::from_bytes([1; 32]),
            wheel_files_sha256: None,
            unread: Vec::new(),
            packages: vec![PythonPackage {
                name: "numpy".into(),
                version: "2.5.5".into(),
                layer: "04-pytorch".into(),
                requested: true,
                kind: DistributionKind::Wheel,
                file: "numpy-2.5.5-cp314-cp314t-manylinux_2_28_x86_64.whl".into(),
                size: Some(7),
                sha256: Sha256::from_bytes([2; 32]),
                url: None,
                dependencies: vec!["a".into(), "b".into()],
                shared: vec![SharedFile {
                    path: "numpy.libs/libgfortran-1.so".into(),
                    owner: "scipy".into(),
                    owner_path: "scipy.libs/libgfortran-1.so".into(),
                }],
            }],
            git: vec![PythonGit {
                name: "clip".into(),
                layer: "08-pak7".into(),
                dependencies: vec!["torch".into()],
            }],
            bundle: Vec::new(),
            provided: vec![PythonProvided {
                name: "opencv-python".into(),
                version: "5.0".into(),
                layer: "05-pak3".into(),
                by: "opencv-contrib-python-headless".into(),
            }],
        };
        let text = toml::to_string(&lock).unwrap();
        insta::assert_snapshot!(text, @r#"
        schema_version = 1
        python = "cp314t"
        list_sha256 = "0101010101010101010101010101010101010101010101010101010101010101"

        [[package]]
        name = "numpy"
        version = "2.5.5"
        layer = "04-pytorch"
        requested = true
        kind = "wheel"
        file = "numpy-2.5.5-cp314-cp314t-manylinux_2_28_x86_64.whl"
        size = 7
        sha256 = "0202020202020202020202020202020202020202020202020202020202020202"
        dependencies = ["a", "b"]

        [[package.shared]]
        path = "numpy.libs/libgfortran-1.so"
        owner = "scipy"
        owner_path = "scipy.libs/libgfortran-1.so"

        [[git]]
        name = "clip"
        layer = "08-pak7"
        dependencies = ["torch"]

        [[provided]]
        name = "opencv-python"
        version = "5.0"
        layer = "05-pak3"
        by = "opencv-contrib-python-headless"
        "#);
        assert_eq!(toml::from_str::<PythonLock>(&text).unwrap(), lock);
    }

    #[test]
    fn ok_golden_debian() {
        let lock = DebianLock {
            schema_version: 1,
            on: Some("01-base-cuda".into()),
            list_sha256: Sha256::from_bytes([1; 32]),
            snapshot: "20260912T195541Z".into(),
            packages: vec![DebianPackage {
                name: "g++-15".into(),
                version: "15.3.0-4".into(),
                archive: "debian".into(),
                path: "pool/main/g/gcc-15/g++-15_15.3.0-4_amd64.deb".into(),
                size: 29252,
                sha256: Sha256::from_bytes([2; 32]),
                snapshot: Some("20261030T200801Z".into()),
            }],
        };
        let text = toml::to_string(&lock).unwrap();
        insta::assert_snapshot!(text, @r#"
        schema_version = 1
        on = "01-base-cuda"
        list_sha256 = "0101010101010101010101010101010101010101010101010101010101010101"
        snapshot = "20260912T195541Z"

        [[package]]
        name = "g++-15"
        version = "15.3.0-4"
        archive = "debian"
        path = "pool/main/g/gcc-15/g++-15_15.3.0-4_amd64.deb"
        size = 29252
        sha256 = "0202020202020202020202020202020202020202020202020202020202020202"
        snapshot = "20261030T200801Z"
        "#);
        assert_eq!(toml::from_str::<DebianLock>(&text).unwrap(), lock);
    }

    #[test]
    fn ok_difference_of_sources() {
        let lock = |rev: &str, content: &str| {
            let hash = SriSha256(Sha256::of(content.as_bytes()));
            let text = format!(
                r#"
                schema_version = 1

                [git.nunchaku]
                url = "https://forge.test/nunchaku"
                rev = "{rev}"
                nar_hash = "{hash}"
                kind = "python"
                requires = []

                [weights.taesd]
                url = "https://forge.test/taesd"
                directory = "vae_approx"
                files = {{ "taesd_decoder.pth" = "{hash}" }}
                "#
            );
            toml::from_str::<SourcesLock>(&text).unwrap().entries()
        };
        let old = lock("c01772562ab103d4958349250df626696d763d89", "a");
        let new = lock("a938b0dd49fadd3a849aa18468885c85b79f0dce", "b");
        let changes = diff("sources", Some(&old), &new);
        let text = |parts: &[&str]| parts.join(" ");
        let (name, was, now) = &changes.changed[0];
        assert_eq!(
            text(&[name, was, now]),
            "nunchaku c01772562ab1 a938b0dd49fa"
        );
        let (file, of) = &changes.refiled[0];
        assert_eq!(text(&[file, of]), "taesd_decoder.pth taesd");
        assert_eq!((changes.packages, changes.n_unknown_sizes), (2, 2));
    }

    #[test]
    fn err_unknown_field() {
        let text = "schema_version = 1\nhost = \"x\"\n";
        let error = toml::from_str::<SourcesLock>(text).unwrap_err().to_string();
        assert!(error.contains("unknown field `host`"), "{error}");
    }
}
