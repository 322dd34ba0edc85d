//! Names of layers: `05-pak3`, and the short forms people type for them.
//!
//! Pure: the list of known layers comes from the caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::nearest::nearest;

/// One of the layers: its number is the only source of order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerName {
    number: u8,
    name: String,
}

/// Text that is not a layer name in full.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a layer name (two digits, `-`, and a name in lower case)")]
pub struct ParseLayerNameError {
    text: String,
}

impl LayerName {
    /// Position in the image, from 1.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// `layer05`, the form of commands in hints.
    pub fn short(&self) -> String {
        format!("layer{:02}", self.number)
    }
}

impl FromStr for LayerName {
    type Err = ParseLayerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseLayerNameError {
            text: text.to_owned(),
        };
        let (digits, name) = text.split_once('-').ok_or_else(error)?;
        let is_name = name.starts_with(|character: char| character.is_ascii_lowercase())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if digits.len() != 2 || !digits.bytes().all(|byte| byte.is_ascii_digit()) || !is_name {
            return Err(error());
        }
        Ok(Self {
            number: digits.parse().map_err(|_| error())?,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}-{}", self.number, self.name)
    }
}

impl From<LayerName> for String {
    fn from(name: LayerName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for LayerName {
    type Error = ParseLayerNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The word for the last layer, the whole image.
pub const LAST: &str = "last";

/// What a user calls a layer, and no layer is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no layer `{text}`")]
pub struct UnknownLayer {
    text: String,
    nearest: Option<LayerName>,
    known: Vec<LayerName>,
}

impl UnknownLayer {
    /// The nearest name, and all there are.
    pub fn hints(&self) -> Vec<String> {
        let near = self.nearest.iter();
        let mut hints: Vec<String> = near
            .map(|layer| format!("the nearest name is `{layer}`"))
            .collect();
        let names: Vec<String> = self.known.iter().map(LayerName::to_string).collect();
        hints.push(format!("the layers are `{}`", names.join("`, `")));
        hints
    }
}

/// Finds the layer that a user means: `layer05`, `05`, `5`, `05-pak3` or `last`.
///
/// # Errors
/// No such layer; the error knows the layers and the nearest one.
pub fn find<'a>(known: &'a [LayerName], text: &str) -> Result<&'a LayerName, UnknownLayer> {
    let wanted = text.trim().trim_end_matches('/');
    let wanted = wanted.strip_prefix("layers/").unwrap_or(wanted);
    let wanted = wanted.strip_prefix("layer").unwrap_or(wanted);
    let found = match wanted.parse::<u8>() {
        Ok(number) => known.iter().find(|layer| layer.number == number),
        Err(_) if wanted == LAST => known.last(),
        Err(_) => known.iter().find(|layer| layer.to_string() == wanted),
    };
    found.ok_or_else(|| UnknownLayer {
        text: text.to_owned(),
        nearest: nearest_layer(known, wanted).cloned(),
        known: known.to_vec(),
    })
}

/// The part that people remember is the name; the whole is for a misread number.
fn nearest_layer<'a>(known: &'a [LayerName], wanted: &str) -> Option<&'a LayerName> {
    let name = wanted.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let names = known.iter().map(|layer| layer.name.as_str());
    let near = *nearest(name, names).first()?;
    known.iter().find(|layer| layer.name == near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Vec<LayerName> {
        ["01-base-cuda", "05-pak3", "08-pak7", "12-comfyui"]
            .map(|text| text.parse().unwrap())
            .to_vec()
    }

    proptest! {
        #[test]
        fn ok_round_trip(number in 0_u8..100, name in "[a-z][a-z0-9-]{0,12}") {
            let text = format!("{number:02}-{name}");
            prop_assert_eq!(text.parse::<LayerName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn ok_short_forms() {
        for text in [
            "layer05",
            "05",
            "5",
            "05-pak3",
            "layer05-pak3",
            "layers/05-pak3/",
        ] {
            assert_eq!(
                find(&known(), text).unwrap().to_string(),
                "05-pak3",
                "{text}"
            );
        }
    }

    #[test]
    fn ok_last() {
        assert_eq!(find(&known(), LAST).unwrap().to_string(), "12-comfyui");
    }

    #[test]
    fn err_not_a_name() {
        for text in ["5-pak3", "05", "05-", "05-Pak", "aa-b", "05-ä", "é0-a"] {
            assert!(text.parse::<LayerName>().is_err(), "{text}");
        }
    }

    #[test]
    fn err_unknown_layer() {
        let show = |text: &str| {
            let failure = find(&known(), text).unwrap_err();
            format!("{failure}\n{}", failure.hints().join("\n"))
        };
        insta::assert_snapshot!(show("layer13"), @r"
        there is no layer `layer13`
        the layers are `01-base-cuda`, `05-pak3`, `08-pak7`, `12-comfyui`
        ");
        insta::assert_snapshot!(show("comfyiu"), @r"
        there is no layer `comfyiu`
        the nearest name is `12-comfyui`
        the layers are `01-base-cuda`, `05-pak3`, `08-pak7`, `12-comfyui`
        ");
        insta::assert_snapshot!(show("08-pak3"), @r"
        there is no layer `08-pak3`
        the nearest name is `05-pak3`
        the layers are `01-base-cuda`, `05-pak3`, `08-pak7`, `12-comfyui`
        ");
    }
}
