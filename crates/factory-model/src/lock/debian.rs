//! Locks of Debian roots. Pure.

use serde::{Deserialize, Serialize};

use super::diff::Entry;
use super::sha256::Sha256;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
