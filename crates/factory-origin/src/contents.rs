//! What a list of everything in an image says, in numbers.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cyclonedx::LAYER;

/// Numbers of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// All of them.
    pub n_packages: usize,
    /// By layer.
    pub layers: BTreeMap<String, usize>,
    /// By licence as the package states it; those that state none are not among them.
    pub licences: BTreeMap<String, usize>,
}

impl Contents {
    /// Counts what a CycloneDX document lists; `None` where it is no such document.
    pub fn of_cyclonedx(bom: &Value) -> Option<Self> {
        if bom["bomFormat"] != "CycloneDX" {
            return None;
        }
        let components = bom["components"].as_array()?;
        let mut contents = Self {
            n_packages: components.len(),
            ..Self::default()
        };
        for component in components {
            let properties = component["properties"].as_array();
            let layer = properties
                .into_iter()
                .flatten()
                .find(|one| one["name"] == LAYER);
            let layer = layer.and_then(|layer| layer["value"].as_str());
            *contents
                .layers
                .entry(layer.unwrap_or("?").to_owned())
                .or_default() += 1;
            let licence = &component["licenses"][0];
            let words = [&licence["expression"], &licence["license"]["name"]];
            if let Some(words) = words.into_iter().find_map(Value::as_str) {
                *contents.licences.entry(words.to_owned()).or_default() += 1;
            }
        }
        Some(contents)
    }
}
