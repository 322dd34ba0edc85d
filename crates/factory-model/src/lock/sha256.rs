//! A SHA-256 hash: lowercase hex in locks, SRI where Nix asks for it.
//!
//! `comfy_image::Digest` is the same with OCI's text form. It is compiled in the store, from
//! a crate that uses no other of ours and must not change with this one.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What a SHA-256 begins with in SRI form
/// (<https://www.w3.org/TR/sri/#the-integrity-attribute>).
const SRI: &str = "sha256-";

/// Proof of 32 bytes; parsed from 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256([u8; 32]);

/// Text that is not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a SHA-256 in hex (64 digits)")]
pub struct ParseSha256Error {
    text: String,
}

impl Sha256 {
    /// From a finished hasher.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As Nix and `sources.toml` write it: `sha256-` and base64.
    pub fn to_sri(&self) -> String {
        format!("{SRI}{}", STANDARD.encode(self.0))
    }

    /// Hash of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl FromStr for Sha256 {
    type Err = ParseSha256Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseSha256Error {
            text: text.to_owned(),
        };
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2).ok_or_else(error)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = ParseSha256Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A SHA-256 in SRI form, `sha256-` and 44 characters of base64, as people publish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SriSha256(pub Sha256);

/// Text that is not a SHA-256 in SRI form.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a SHA-256 in SRI form (`sha256-` and 44 characters of base64)")]
pub struct ParseSriError(String);

impl FromStr for SriSha256 {
    type Err = ParseSriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(SRI)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(|bytes| Self(Sha256(bytes)))
            .ok_or_else(|| ParseSriError(text.to_owned()))
    }
}

impl fmt::Display for SriSha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_sri())
    }
}

impl From<SriSha256> for String {
    fn from(hash: SriSha256) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for SriSha256 {
    type Error = ParseSriError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ok_round_trip(bytes: [u8; 32]) {
            let hash = Sha256::from_bytes(bytes);
            prop_assert_eq!(hash.to_string().parse::<Sha256>().unwrap(), hash);
        }
    }

    proptest! {
        #[test]
        fn ok_sri(bytes: [u8; 32]) {
            let text = format!("sha256-{}", STANDARD.encode(bytes));
            let hash = text.parse::<SriSha256>().unwrap();
            prop_assert_eq!(hash.0, Sha256::from_bytes(bytes));
            prop_assert_eq!(hash.to_string(), text);
        }
    }

    #[test]
    fn err_not_sri() {
        for text in ["sha256-", "sha512-AAAA", "sha256-AAAA", "00"] {
            assert!(text.parse::<SriSha256>().is_err(), "{text}");
        }
    }

    #[test]
    fn err_not_hex() {
        let error = "zz".parse::<Sha256>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`zz` is not a SHA-256 in hex (64 digits)"
        );
        assert!("é".repeat(32).parse::<Sha256>().is_err());
    }
}
