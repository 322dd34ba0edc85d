//! Locks of the Python distributions of a variant. Pure.

use serde::{Deserialize, Serialize};

use super::diff::Entry;
use super::sha256::Sha256;

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
    /// ABI tag of the interpreter with the GIL that its native code was compared with; absent
    /// where its own has the GIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<String>,
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
    /// The wheel with native code that the ABI of `compared_with` gets, where this file has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_elsewhere: Option<String>,
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
            compared_with: Some("cp314".into()),
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
                native_elsewhere: Some("numpy-2.5.5-cp314-cp314-manylinux_2_28_x86_64.whl".into()),
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
        compared_with = "cp314"

        [[package]]
        name = "numpy"
        version = "2.5.5"
        layer = "04-pytorch"
        requested = true
        kind = "wheel"
        file = "numpy-2.5.5-cp314-cp314t-manylinux_2_28_x86_64.whl"
        size = 7
        sha256 = "0202020202020202020202020202020202020202020202020202020202020202"
        native_elsewhere = "numpy-2.5.5-cp314-cp314-manylinux_2_28_x86_64.whl"
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
}
