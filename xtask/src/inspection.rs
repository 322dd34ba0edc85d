//! An image in a registry and what is attached to it: read, and held against one another.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use comfy_image::Digest;
use serde::Deserialize;
use serde_json::Value;

use crate::document::{
    InspectedBlob, InspectedContents, InspectedDocument, InspectedImage, InspectedProvenance,
    InspectedReport, Signed,
};
use factory_base::error;
use factory_fetch::for_each;
use factory_origin::bundle::{self, Bundle};
use factory_origin::provenance::Provenance;
use factory_origin::statement::Statement;
use factory_origin::{AttachmentKind as Kind, Contents, PublicKey};
use oci_registry::{Referrer, Registry};

/// Blobs that are asked for at once.
const CONNECTIONS: usize = 4;
/// Larger documents are none of ours, and are not read.
const MOST_BYTES: u64 = 4 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default)]
    artifact_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

/// What is shown of an image configuration.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    config: Container,
    history: Vec<History>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Container {
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct History {
    created_by: String,
    empty_layer: bool,
}

/// What is shown of a report of `verify`.
#[derive(Deserialize)]
struct Report {
    date: String,
    gpu: Gpu,
    counts: Counts,
}

#[derive(Deserialize)]
struct Gpu {
    #[serde(default)]
    devices: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    name: String,
}

#[derive(Deserialize)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Reads and checks an image; `None` when the registry has none under this tag or digest.
///
/// # Errors
/// The registry does not answer, or what it has there is no image. What does not match is no
/// error: the document says it.
pub(crate) fn inspect(
    registry: &Registry<'_>,
    reference: &str,
    version: &str,
    key: Option<&PublicKey>,
) -> Result<Option<InspectedImage>> {
    let Some(text) = registry.manifest_as_sent(version)? else {
        return Ok(None);
    };
    let subject = Digest::of(text.as_bytes());
    if version.parse().is_ok_and(|asked: Digest| asked != subject) {
        let text = format!("the registry answers `{reference}` with the manifest {subject}");
        return Err(error::not_right(text).into());
    }
    let manifest: Manifest = serde_json::from_str(&text).map_err(|problem| {
        error::not_right(format!("`{reference}` is no image: {problem}"))
            .hint("an index of several images has one manifest for each: name that by its digest")
    })?;
    let mut found = Found {
        registry,
        subject,
        size_bytes: text.len() as u64,
        key,
        image: InspectedImage {
            reference: reference.to_owned(),
            manifest_digest: subject.to_string(),
            config_digest: manifest.config.digest.to_string(),
            size_bytes: manifest.config.size + sum(&manifest.layers),
            blobs: Vec::new(),
            labels: BTreeMap::new(),
            attached: Vec::new(),
            contents: None,
            provenance: None,
            reports: Vec::new(),
            faults: Vec::new(),
        },
    };
    found.blobs(&manifest)?;
    for referrer in registry.referrers(&subject)? {
        found.referrer(&referrer)?;
    }
    let is_ours =
        |one: &InspectedDocument| one.kind == Kind::Signature.word() && one.signed == Signed::ByKey;
    if key.is_some() && !found.image.attached.iter().any(is_ours) {
        found.fault("no signature of this key is attached");
    }
    Ok(Some(found.image))
}

fn sum(blobs: &[Descriptor]) -> u64 {
    blobs.iter().map(|blob| blob.size).sum()
}

/// What is known so far.
struct Found<'f> {
    registry: &'f Registry<'f>,
    /// The image's manifest.
    subject: Digest,
    size_bytes: u64,
    key: Option<&'f PublicKey>,
    image: InspectedImage,
}

impl Found<'_> {
    fn fault(&mut self, text: impl Into<String>) {
        self.image.faults.push(text.into());
    }

    /// A document that the registry is said to have; a fault where it has none, or another.
    fn document(&mut self, what: &str, blob: &Descriptor) -> Result<Option<String>> {
        let digest = &blob.digest;
        if !self.registry.has_blob(digest)? {
            self.fault(format!("{what} `{digest}` is not there"));
            return Ok(None);
        }
        let text = self.registry.document_as_sent(digest)?;
        Ok(self
            .is_right(what, &text, digest, blob.size)
            .then_some(text))
    }

    /// Whether a text is what its digest and its size say; a fault where it is not.
    fn is_right(&mut self, what: &str, text: &str, digest: &Digest, size: u64) -> bool {
        let found = Digest::of(text.as_bytes());
        if found != *digest {
            self.fault(format!("{what} `{digest}` has the digest {found}"));
            return false;
        }
        let n_bytes = text.len() as u64;
        if n_bytes != size {
            self.fault(format!("{what} `{digest}` has {n_bytes} bytes, not {size}"));
        }
        true
    }

    fn blobs(&mut self, manifest: &Manifest) -> Result<()> {
        let config = self.document("the configuration", &manifest.config)?;
        let config: Config = match config.as_deref().map(serde_json::from_str) {
            Some(Ok(config)) => config,
            Some(Err(problem)) => {
                self.fault(format!("the configuration cannot be read: {problem}"));
                Config::default()
            }
            None => Config::default(),
        };
        let mut history = config.history.iter().filter(|one| !one.empty_layer);
        self.image.blobs = manifest
            .layers
            .iter()
            .map(|blob| InspectedBlob {
                digest: blob.digest.to_string(),
                size_bytes: blob.size,
                media_type: blob.media_type.clone(),
                layer: history.next().map(|one| one.created_by.clone()),
            })
            .collect();
        self.image.labels = config.config.labels;
        let registry = self.registry;
        let mut missing = Vec::new();
        for_each(
            &manifest.layers,
            CONNECTIONS,
            |blob| registry.has_blob(&blob.digest),
            |blob, is_there| {
                if !is_there? {
                    missing.push(format!("the blob `{}` is not there", blob.digest));
                }
                Ok(())
            },
        )?;
        missing.sort();
        self.image.faults.extend(missing);
        Ok(())
    }

    /// The manifest of an artifact; a fault where it is not what the list says.
    fn artifact(&mut self, listed: &Referrer) -> Result<Option<Manifest>> {
        let name = &listed.digest;
        let Ok(digest) = name.parse::<Digest>() else {
            self.fault(format!("`{name}` is listed, and is no digest"));
            return Ok(None);
        };
        let Some(text) = self.registry.manifest_as_sent(name)? else {
            self.fault(format!("the artifact `{name}` is listed and not there"));
            return Ok(None);
        };
        if !self.is_right("the artifact", &text, &digest, listed.size) {
            return Ok(None);
        }
        let manifest: Manifest = match serde_json::from_str(&text) {
            Ok(manifest) => manifest,
            Err(problem) => {
                self.fault(format!("the artifact `{name}` cannot be read: {problem}"));
                return Ok(None);
            }
        };
        let is_listed = listed.artifact_type.is_some();
        if is_listed && manifest.artifact_type != listed.artifact_type {
            self.fault(format!(
                "the artifact `{name}` is of another type than the list says"
            ));
        }
        let subject = manifest.subject.as_ref();
        let about = subject.map(|subject| (subject.digest, subject.size));
        if about != Some((self.subject, self.size_bytes)) {
            self.fault(format!("the artifact `{name}` is about another image"));
        }
        Ok(Some(manifest))
    }

    /// Reads one artifact, and holds it against the list and the image.
    fn referrer(&mut self, listed: &Referrer) -> Result<()> {
        let Some(manifest) = self.artifact(listed)? else {
            return Ok(());
        };
        let document = match manifest.layers.as_slice() {
            [one] if one.size <= MOST_BYTES => self.document("the document", one)?,
            _ => None,
        };
        let artifact_type = manifest.artifact_type.unwrap_or_default();
        let mut shown = InspectedDocument {
            kind: artifact_type.clone(),
            manifest_digest: listed.digest.clone(),
            size_bytes: sum(&manifest.layers),
            signed: Signed::No,
        };
        if let Some(text) = document {
            self.content(&artifact_type, &text, &mut shown);
        }
        self.image.attached.push(shown);
        Ok(())
    }

    fn content(&mut self, artifact_type: &str, text: &str, shown: &mut InspectedDocument) {
        let name = shown.manifest_digest.clone();
        if artifact_type == bundle::MEDIA_TYPE {
            match self.bundle(text) {
                Ok((statement, signed)) => {
                    shown.signed = signed;
                    let kind = Kind::of_predicate(statement.predicate_type());
                    shown.kind = match kind {
                        Some(kind) => kind.word().to_owned(),
                        None => statement.predicate_type().to_owned(),
                    };
                    if let Some(kind) = kind {
                        self.said(kind, statement.predicate().clone(), shown);
                    }
                }
                Err(problem) => self.fault(format!("the artifact `{name}`: {problem}")),
            }
            return;
        }
        let Some(kind) = Kind::of_artifact(artifact_type) else {
            return;
        };
        shown.kind = kind.word().to_owned();
        let said = match kind {
            Kind::Provenance => self.statement(text),
            _ => serde_json::from_str(text).map_err(|problem| problem.to_string()),
        };
        match said {
            Ok(said) => self.said(kind, said, shown),
            Err(problem) => self.fault(format!("the artifact `{name}`: {problem}")),
        }
    }

    /// A statement that nobody signed.
    fn statement(&self, text: &str) -> Result<Value, String> {
        let statement = Statement::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        let about = statement.is_about(&self.subject.hex());
        about.map_err(|error| error.to_string())?;
        Ok(statement.predicate().clone())
    }

    /// What a bundle says, and who vouches for it.
    fn bundle(&self, text: &str) -> Result<(Statement, Signed), factory_origin::Error> {
        let bundle = Bundle::parse(text.as_bytes())?;
        let statement = bundle.statement()?;
        statement.is_about(&self.subject.hex())?;
        let Some(key) = self.key else {
            return Ok((statement, Signed::Unchecked));
        };
        match bundle.verify(key) {
            Ok(()) => Ok((statement, Signed::ByKey)),
            // It says that it is of this key, and is not.
            Err(error) if bundle.names(key) => Err(error),
            Err(_) => Ok((statement, Signed::OtherKey)),
        }
    }

    /// Keeps what is shown of a document. Of several of a kind the best vouched for is shown, and
    /// the last of these.
    fn said(&mut self, kind: Kind, said: Value, shown: &InspectedDocument) {
        let signed = shown.signed;
        let kept = match kind {
            Kind::Signature | Kind::Spdx => Ok(()),
            Kind::Cyclonedx => self.contents(&said, signed),
            Kind::Provenance => self.provenance(said, signed),
            Kind::Report => self.report(said, signed),
        };
        if let Err(problem) = kept {
            let (word, name) = (kind.word(), &shown.manifest_digest);
            self.fault(format!(
                "the {word} in `{name}` cannot be read: {problem:#}"
            ));
        }
    }

    fn contents(&mut self, said: &Value, signed: Signed) -> Result<()> {
        let Contents {
            n_packages,
            layers,
            licences,
        } = Contents::of_cyclonedx(said).context("it is not CycloneDX")?;
        if self
            .image
            .contents
            .as_ref()
            .is_none_or(|known| known.signed <= signed)
        {
            self.image.contents = Some(InspectedContents {
                signed,
                n_packages,
                layers,
                licences,
            });
        }
        Ok(())
    }

    fn provenance(&mut self, said: Value, signed: Signed) -> Result<()> {
        let provenance: Provenance = serde_json::from_value(said)?;
        let revision = provenance.revision();
        let parameters = provenance.build_definition.external_parameters;
        if self
            .image
            .provenance
            .as_ref()
            .is_none_or(|known| known.signed <= signed)
        {
            self.image.provenance = Some(InspectedProvenance {
                signed,
                is_changed: revision
                    .as_ref()
                    .is_some_and(|revision| revision.is_changed),
                revision: revision.map(|revision| revision.commit),
                builder: provenance.run_details.builder.id,
                variant: parameters.variant,
                layer: parameters.layer,
            });
        }
        Ok(())
    }

    fn report(&mut self, said: Value, signed: Signed) -> Result<()> {
        let report: Report = serde_json::from_value(said)?;
        self.image.reports.push(InspectedReport {
            signed,
            date: report.date,
            gpus: report.gpu.devices.into_iter().map(|one| one.name).collect(),
            n_passed: report.counts.passed,
            n_failed: report.counts.failed,
            n_skipped: report.counts.skipped,
        });
        Ok(())
    }
}
