//! Package URLs: what other tools know a package by
//! (<https://github.com/package-url/purl-spec>, ECMA-427).

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands as it is; a colon may.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// In the value of a qualifier a slash means nothing and stands as it is.
const OF_VALUES: &AsciiSet = &ENCODED.remove(b'/');

/// A package URL in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purl(String);

impl Purl {
    /// A distribution of the Python index; `name` is normalized (PEP 503).
    pub fn pypi(name: &str, version: &str) -> Self {
        Self::new("pypi", "", name, version, &BTreeMap::new())
    }

    /// A binary package of Debian.
    pub fn deb(name: &str, version: &str, architecture: &str) -> Self {
        let qualifiers = BTreeMap::from([("arch", architecture)]);
        Self::new("deb", "debian", name, version, &qualifiers)
    }

    /// A crate of the Rust registry.
    pub fn cargo(name: &str, version: &str) -> Self {
        Self::new("cargo", "", name, version, &BTreeMap::new())
    }

    /// A revision of a git repository: GitHub's have a type of their own.
    pub fn git(name: &str, url: &str, revision: &str) -> Self {
        let path = url.strip_prefix("https://github.com/");
        let parts = path.map(|path| path.trim_end_matches('/').trim_end_matches(".git"));
        match parts.and_then(|parts| parts.split_once('/')) {
            Some((owner, name)) if !owner.is_empty() && is_segment(name) => {
                // The type's names are lower case.
                let (owner, name) = (owner.to_lowercase(), name.to_lowercase());
                Self::new("github", &owner, &name, revision, &BTreeMap::new())
            }
            _ => {
                let place = format!("git+{url}@{revision}");
                let qualifiers = BTreeMap::from([("vcs_url", place.as_str())]);
                Self::new("generic", "", name, revision, &qualifiers)
            }
        }
    }

    /// A file that no registry has. `sha256` is hex.
    pub fn file(name: &str, version: &str, url: Option<&str>, sha256: &str) -> Self {
        let checksum = format!("sha256:{sha256}");
        let mut qualifiers = BTreeMap::from([("checksum", checksum.as_str())]);
        qualifiers.extend(url.map(|url| ("download_url", url)));
        Self::new("generic", "", name, version, &qualifiers)
    }

    /// A part of the project itself.
    pub fn own(name: &str, version: &str) -> Self {
        Self::new("generic", "", name, version, &BTreeMap::new())
    }

    fn new(
        kind: &str,
        namespace: &str,
        name: &str,
        version: &str,
        qualifiers: &BTreeMap<&str, &str>,
    ) -> Self {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let mut text = format!("pkg:{kind}/");
        if !namespace.is_empty() {
            text.push_str(&format!("{}/", encoded(namespace)));
        }
        text.push_str(&format!("{}@{}", encoded(name), encoded(version)));
        for (separator, (key, value)) in std::iter::once('?')
            .chain(std::iter::repeat('&'))
            .zip(qualifiers)
        {
            let value = utf8_percent_encode(value, OF_VALUES);
            text.push_str(&format!("{separator}{key}={value}"));
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_segment(name: &str) -> bool {
    !name.is_empty() && !name.contains('/')
}

impl fmt::Display for Purl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ok_each_kind() {
        let rev = "d05afc436d78f1c48dc0dbf8e5980a9d471f35f6";
        for (purl, expected) in [
            (
                Purl::pypi("torch", "2.10.0+cu130"),
                "pkg:pypi/torch@2.10.0%2Bcu130".to_owned(),
            ),
            (
                Purl::deb("g++-15", "1:15.3.0-4~deb13", "amd64"),
                "pkg:deb/debian/g%2B%2B-15@1:15.3.0-4~deb13?arch=amd64".to_owned(),
            ),
            (
                Purl::git("clip", "https://github.com/openai/CLIP", rev),
                format!("pkg:github/openai/clip@{rev}"),
            ),
            (
                Purl::git("x", "https://git.example.org/a/b/x.git", rev),
                format!(
                    "pkg:generic/x@{rev}?vcs_url=git%2Bhttps://git.example.org/a/b/x.git%40{rev}"
                ),
            ),
            (
                Purl::file("cpython", "3.14.5", Some("https://a.org/x.tar"), "ab"),
                "pkg:generic/cpython@3.14.5?checksum=sha256:ab&download_url=https://a.org/x.tar"
                    .to_owned(),
            ),
        ] {
            assert_eq!(purl.as_str(), expected);
        }
    }

    proptest! {
        /// What is put in comes out again, and nothing in between has a meaning of its own.
        #[test]
        fn ok_encoding_is_undone_by_decoding(
            name in "\\PC{1,20}", version in "\\PC{1,20}", value in "\\PC{1,20}",
        ) {
            let qualifiers = BTreeMap::from([("arch", value.as_str())]);
            let purl = Purl::new("deb", "debian", &name, &version, &qualifiers);
            let rest = purl.as_str().strip_prefix("pkg:deb/debian/").unwrap();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:%@?=/".contains(&byte);
            prop_assert!(rest.bytes().all(plain), "{rest}");
            let (path, query) = rest.split_once('?').unwrap();
            let (left, right) = path.split_once('@').unwrap();
            let decoded = |text: &str| {
                percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
            };
            prop_assert_eq!(decoded(left), name);
            prop_assert_eq!(decoded(right), version);
            prop_assert_eq!(decoded(query.strip_prefix("arch=").unwrap()), value);
        }
    }
}
