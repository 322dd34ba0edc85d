//! Normalized project names (PEP 503). Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A project name in its normalized form: lowercase, `-` between the parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PackageName(String);

/// Text that is no project name.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a project name (letters, digits, `-`, `_`, `.`, ends are a letter or digit)")]
pub struct ParseNameError(String);

impl PackageName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let separator = |byte: u8| matches!(byte, b'-' | b'_' | b'.');
        let bytes = text.as_bytes();
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let all = bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || separator(*byte));
        if !all || !ends(bytes.first()) || !ends(bytes.last()) {
            return Err(ParseNameError(text.to_owned()));
        }
        Ok(Self(normalized(text)))
    }
}

/// A name as PEP 503 compares those of projects; of any text.
pub(super) fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}

impl TryFrom<String> for PackageName {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ok_normalized() {
        let name: PackageName = "Blend__Modes.x".parse().unwrap();
        assert_eq!(name.as_str(), "blend-modes-x");
    }

    #[test]
    fn err_not_a_name() {
        for text in ["", "-a", "a-", "a b", "é"] {
            assert!(text.parse::<PackageName>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ok_normalizing_is_idempotent(text in "[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?") {
            let once: PackageName = text.parse().unwrap();
            prop_assert_eq!(&once.to_string().parse::<PackageName>().unwrap(), &once);
        }
    }
}
