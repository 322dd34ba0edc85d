//! Names of layers and images. They are checked once, when they are parsed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Says why a text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {what}: `{text}`")]
pub struct ParseNameError {
    what: &'static str,
    text: String,
}

/// Names a logical layer: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerName(String);

impl FromStr for LayerName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_word(text, "._-", 100) {
            Ok(Self(text.to_owned()))
        } else {
            let what = "a layer name (letters, digits, `.`, `_`, `-`)";
            Err(ParseNameError {
                what,
                text: text.to_owned(),
            })
        }
    }
}

impl LayerName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names an image: a repository, with or without a registry, and a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    repository: String,
    tag: String,
}

impl Reference {
    /// Returns the repository, with the registry if it was given.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Returns the name as containerd writes it, with a registry and a namespace.
    pub fn fully_qualified(&self) -> String {
        match self.repository.split_once('/') {
            Some((host, _)) if is_registry(host) => self.to_string(),
            Some(_) => format!("docker.io/{self}"),
            None => format!("docker.io/library/{self}"),
        }
    }
}

impl FromStr for Reference {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let what = "an image reference (`NAME:TAG` or `REGISTRY/NAME:TAG`, names in lower case)";
        let error = || ParseNameError {
            what,
            text: text.to_owned(),
        };
        let (repository, tag) = text.rsplit_once(':').ok_or_else(error)?;
        let names = match repository.split_once('/') {
            Some((host, rest)) if is_registry(host) => rest,
            _ => repository,
        };
        let is_name = |part: &str| {
            is_word(part, "._-", 128)
                && !part.contains(|character: char| character.is_ascii_uppercase())
                && part.ends_with(|character: char| character.is_ascii_alphanumeric())
                && part.starts_with(|character: char| character.is_ascii_alphanumeric())
        };
        if !is_word(tag, "._-", 128) || !names.split('/').all(is_name) {
            return Err(error());
        }
        Ok(Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.repository, self.tag)
    }
}

macro_rules! text_conversions {
    ($name:ty) => {
        impl TryFrom<String> for $name {
            type Error = ParseNameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    };
}

text_conversions!(LayerName);
text_conversions!(Reference);

fn is_word(text: &str, punctuation: &str, max_bytes: usize) -> bool {
    !text.is_empty()
        && text.len() <= max_bytes
        && !text.starts_with(['.', '-'])
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || punctuation.contains(character))
}

fn is_registry(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    (host == "localhost" || host.contains(['.', ':']))
        && is_word(name, ".-", 253)
        && !port.is_empty()
        && port.chars().all(|character| character.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_references() {
        for (text, qualified) in [
            ("comfyui-boot:v1", "docker.io/library/comfyui-boot:v1"),
            ("me/comfyui-boot:V_1", "docker.io/me/comfyui-boot:V_1"),
            ("localhost/x:1", "localhost/x:1"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("example.org/a/b:1", "example.org/a/b:1"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.fully_qualified(), qualified);
        }
    }

    #[test]
    fn err_references() {
        for text in [
            "",
            "x",
            ":1",
            "x:",
            "X:1",
            "a//b:1",
            "a/:1",
            "x:a b",
            "x@sha256:1",
            "-x:1",
            "x-:1",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn err_layer_names() {
        for text in ["", ".", "a/b", "a b", "-x", "é"] {
            assert!(text.parse::<LayerName>().is_err(), "{text}");
        }
    }
}
