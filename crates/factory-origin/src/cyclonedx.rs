//! CycloneDX 1.6 as JSON (ECMA-424, <https://cyclonedx.org/docs/1.6/json/>).

use serde::{Deserialize, Serialize};

use crate::inventory::{Component as Package, Inventory, Kind};
use crate::licence::Licence;
use crate::{CREATED, TOOL, identity};

/// Its media type.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";
/// What an in-toto statement calls it.
pub const PREDICATE_TYPE: &str = "https://cyclonedx.org/bom";

/// The properties of a component that are ours (the field's taxonomy: a name with a prefix).
pub(crate) const LAYER: &str = "comfyui-image-factory:layer";
const ORIGIN: &str = "comfyui-image-factory:origin";
const NAR_HASH: &str = "comfyui-image-factory:nar-hash";
const FILE: &str = "comfyui-image-factory:file";

/// A bill of materials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bom {
    bom_format: String,
    spec_version: String,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Metadata {
    timestamp: String,
    tools: Tools,
    component: Component,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Tools {
    components: Vec<Component>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "bom-ref", default, skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenceChoice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<ExternalReference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

/// Either an expression or a licence's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LicenceChoice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    license: Option<NamedLicence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NamedLicence {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ExternalReference {
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Property {
    name: String,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    of: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
}

impl Bom {
    /// Everything in the image.
    pub fn new(inventory: &Inventory) -> Self {
        let image = Component {
            kind: "container".to_owned(),
            bom_ref: Some("image".to_owned()),
            name: inventory.name.clone(),
            version: Some(inventory.version.clone()),
            properties: inventory
                .layers
                .iter()
                .map(|layer| property(LAYER, layer))
                .collect(),
            ..Component::default()
        };
        let tool = Component {
            kind: "application".to_owned(),
            name: TOOL.to_owned(),
            version: Some(inventory.project.version.clone()),
            external_references: vec![ExternalReference {
                kind: "vcs".to_owned(),
                url: inventory.project.address.clone(),
            }],
            ..Component::default()
        };
        let packages = &inventory.components;
        Self {
            bom_format: "CycloneDX".to_owned(),
            spec_version: "1.6".to_owned(),
            serial_number: format!("urn:uuid:{}", identity::uuid(&identity::of(inventory))),
            version: 1,
            metadata: Metadata {
                timestamp: CREATED.to_owned(),
                tools: Tools {
                    components: vec![tool],
                },
                component: image,
            },
            components: packages.iter().map(component).collect(),
            dependencies: dependencies(packages),
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

fn component(package: &Package) -> Component {
    let is_program = matches!(package.kind, Kind::Own);
    let kind = match package.kind {
        _ if is_program => "application",
        Kind::File if package.name != "cpython" => "file",
        _ => "library",
    };
    let mut properties = vec![
        property(LAYER, &package.layer),
        property(ORIGIN, &package.kind.word()),
    ];
    properties.extend(package.file.iter().map(|file| property(FILE, file)));
    properties.extend(package.nar_hash.iter().map(|hash| property(NAR_HASH, hash)));
    let reference = package.url.iter().map(|url| ExternalReference {
        kind: match package.kind {
            Kind::Git => "vcs".to_owned(),
            _ => "distribution".to_owned(),
        },
        url: url.clone(),
    });
    Component {
        kind: kind.to_owned(),
        bom_ref: Some(package.purl.to_string()),
        name: package.name.clone(),
        version: Some(package.version.clone()),
        hashes: package
            .sha256
            .iter()
            .map(|hash| Hash {
                alg: "SHA-256".to_owned(),
                content: hash.to_string(),
            })
            .collect(),
        licenses: licences(&package.licence),
        purl: Some(package.purl.to_string()),
        external_references: reference.collect(),
        properties,
    }
}

fn licences(licence: &Licence) -> Vec<LicenceChoice> {
    let declared = || Some("declared".to_owned());
    match licence {
        Licence::Unknown => Vec::new(),
        Licence::Expression(text) => vec![LicenceChoice {
            expression: Some(text.clone()),
            license: None,
            acknowledgement: declared(),
        }],
        Licence::Named(name) => vec![LicenceChoice {
            expression: None,
            license: Some(NamedLicence {
                name: name.clone(),
                acknowledgement: declared(),
            }),
            acknowledgement: None,
        }],
    }
}

/// What depends on what; a package without an entry is one of which nobody knows.
fn dependencies(packages: &[Package]) -> Vec<Dependency> {
    let all = packages.iter().map(|package| package.purl.to_string());
    let mut found = vec![Dependency {
        of: "image".to_owned(),
        depends_on: all.collect(),
    }];
    let known = packages
        .iter()
        .filter(|package| matches!(package.kind, Kind::Wheel | Kind::Sdist | Kind::Git));
    found.extend(known.map(|package| {
        Dependency {
            of: package.purl.to_string(),
            depends_on: package
                .dependencies
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }));
    found
}

fn property(name: &str, value: &impl ToString) -> Property {
    Property {
        name: name.to_owned(),
        value: value.to_string(),
    }
}
