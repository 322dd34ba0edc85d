//! SPDX 2.3 as JSON (ISO/IEC 5962 has its predecessor; <https://spdx.github.io/spdx-spec/v2.3/>).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::inventory::{Component, Inventory, Kind};
use crate::{CREATED, TOOL, identity};

/// Its media type.
pub const MEDIA_TYPE: &str = "application/spdx+json";
/// What an in-toto statement calls it.
pub const PREDICATE_TYPE: &str = "https://spdx.dev/Document";

/// Nobody says.
const NO_ASSERTION: &str = "NOASSERTION";
/// The identifier of the image's own package.
const IMAGE: &str = "SPDXRef-image";

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    spdx_version: String,
    data_license: String,
    #[serde(rename = "SPDXID")]
    spdx_id: String,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Package>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicence>,
    relationships: Vec<Relationship>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    spdx_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_file_name: Option<String>,
    download_location: String,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    license_concluded: String,
    license_declared: String,
    copyright_text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    primary_package_purpose: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: String,
    checksum_value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: String,
    reference_type: String,
    reference_locator: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicence {
    license_id: String,
    name: String,
    extracted_text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: String,
    related_spdx_element: String,
}

impl Document {
    /// Everything in the image: the image contains layers, and a layer contains packages.
    pub fn new(inventory: &Inventory) -> Self {
        let ids: BTreeMap<&str, String> = inventory
            .components
            .iter()
            .enumerate()
            .map(|(index, one)| (one.purl.as_str(), id(index, one)))
            .collect();
        let mut packages = vec![container(
            IMAGE.to_owned(),
            inventory.name.clone(),
            Some(inventory.version.clone()),
            "CONTAINER",
        )];
        packages.extend(inventory.layers.iter().map(|layer| {
            let name = layer.to_string();
            container(layer_id(&name), format!("layer {name}"), None, "ARCHIVE")
        }));
        let own = inventory.components.iter();
        packages.extend(own.map(|one| package(&ids[one.purl.as_str()], one)));
        let name = format!("{}-{}", inventory.name, inventory.version);
        let last = inventory
            .layers
            .last()
            .map(ToString::to_string)
            .unwrap_or_default();
        let hash = identity::of(inventory);
        let crate::Project { address, version } = &inventory.project;
        Self {
            spdx_version: "SPDX-2.3".to_owned(),
            data_license: "CC0-1.0".to_owned(),
            spdx_id: "SPDXRef-DOCUMENT".to_owned(),
            document_namespace: format!("{address}/spdx/{name}/{last}/{hash}"),
            name,
            creation_info: CreationInfo {
                created: CREATED.to_owned(),
                creators: vec![format!("Tool: {TOOL}-{version}")],
            },
            packages,
            has_extracted_licensing_infos: extracted(inventory),
            relationships: relationships(inventory, &ids),
        }
    }

    /// The text, with an end of line.
    ///
    /// # Errors
    /// None that is known: all keys are text.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{}\n", serde_json::to_string_pretty(self)?))
    }
}

/// Letters, digits, `.` and `-`; the number keeps apart what these cannot.
fn id(index: usize, component: &Component) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || ".-".contains(character);
    let name: String = component
        .name
        .chars()
        .map(|character| if is_plain(character) { character } else { '-' })
        .collect();
    format!("SPDXRef-{}-{name}-{index}", component.kind.word())
}

fn layer_id(name: &str) -> String {
    format!("SPDXRef-layer-{name}")
}

fn container(spdx_id: String, name: String, version: Option<String>, purpose: &str) -> Package {
    Package {
        spdx_id,
        name,
        version_info: version,
        package_file_name: None,
        download_location: NO_ASSERTION.to_owned(),
        files_analyzed: false,
        checksums: Vec::new(),
        license_concluded: NO_ASSERTION.to_owned(),
        license_declared: NO_ASSERTION.to_owned(),
        copyright_text: NO_ASSERTION.to_owned(),
        comment: None,
        primary_package_purpose: purpose.to_owned(),
        external_refs: Vec::new(),
    }
}

fn package(spdx_id: &str, component: &Component) -> Package {
    let checksum = component.sha256.iter().map(|hash| Checksum {
        algorithm: "SHA256".to_owned(),
        checksum_value: hash.to_string(),
    });
    let nar_hash = component.nar_hash.as_ref();
    let purpose = match component.kind {
        Kind::Own => "APPLICATION",
        Kind::File if component.name != "cpython" => "FILE",
        _ => "LIBRARY",
    };
    let place = component.url.clone();
    let licence = component.licence.expression();
    Package {
        package_file_name: component.file.clone(),
        download_location: place.unwrap_or_else(|| NO_ASSERTION.to_owned()),
        checksums: checksum.collect(),
        license_declared: licence.unwrap_or_else(|| NO_ASSERTION.to_owned()),
        comment: nar_hash.map(|hash| format!("NAR hash of the tree: {hash}")),
        external_refs: vec![ExternalRef {
            reference_category: "PACKAGE-MANAGER".to_owned(),
            reference_type: "purl".to_owned(),
            reference_locator: component.purl.to_string(),
        }],
        ..container(
            spdx_id.to_owned(),
            component.name.clone(),
            Some(component.version.clone()),
            purpose,
        )
    }
}

/// Names of licences that the SPDX list does not have. Their texts are in the packages.
fn extracted(inventory: &Inventory) -> Vec<ExtractedLicence> {
    let all = inventory.components.iter();
    let names: BTreeMap<String, String> = all.flat_map(|one| one.licence.references()).collect();
    names
        .into_iter()
        .map(|(license_id, name)| ExtractedLicence {
            license_id,
            extracted_text: format!(
                "The package calls its licence `{name}`; the text is in the package."
            ),
            name,
        })
        .collect()
}

fn relationships(inventory: &Inventory, ids: &BTreeMap<&str, String>) -> Vec<Relationship> {
    let mut found = vec![related("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
    for layer in &inventory.layers {
        found.push(related(IMAGE, "CONTAINS", &layer_id(&layer.to_string())));
    }
    for component in &inventory.components {
        let own = &ids[component.purl.as_str()];
        let layer = layer_id(&component.layer.to_string());
        found.push(related(&layer, "CONTAINS", own));
        let needed = component.dependencies.iter();
        let needed = needed.filter_map(|purl| ids.get(purl.as_str()));
        found.extend(needed.map(|other| related(own, "DEPENDS_ON", other)));
    }
    found
}

fn related(of: &str, kind: &str, other: &str) -> Relationship {
    Relationship {
        spdx_element_id: of.to_owned(),
        relationship_type: kind.to_owned(),
        related_spdx_element: other.to_owned(),
    }
}
