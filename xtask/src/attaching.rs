//! What a push says of an image: what is in it, where it comes from, what was checked, and that
//! all of this is ours. It is attached to the image as artifacts.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use comfy_image::Digest;
use comfy_image::compression::Compression;

use crate::cli::OriginArgs;
use crate::ctx::Ctx;
use crate::document::AttachedDocument;
use crate::head;
use crate::inventory;
use crate::realize::Realized;
use crate::select::Variant;
use factory_base::error::{Explain as _, Failure};
use factory_model::lock::Sha256;
use factory_origin::provenance::{Parameters, Provenance};
use factory_origin::{Attachment, AttachmentKind as Kind, PrivateKey, cyclonedx, spdx};
use oci_registry::serve::Images;
use oci_registry::{NewArtifact, Registry};

/// An image and what is known of it.
pub(crate) struct About<'a> {
    pub(crate) realized: &'a Realized,
    pub(crate) compression: Option<Compression>,
    /// What `verify` found.
    pub(crate) report: Option<&'a [u8]>,
    /// Who builds, if the user says so.
    pub(crate) builder: Option<&'a str>,
    /// Nothing but the report.
    pub(crate) is_bare: bool,
}

/// Documents by kind, JSON.
type Documents = BTreeMap<Kind, Vec<u8>>;

impl About<'_> {
    /// Everything that there is to say.
    ///
    /// # Errors
    /// A lock or a built package cannot be read, or git does not run.
    pub(crate) fn documents(&self, ctx: &Ctx) -> Result<Documents> {
        let mut documents = Documents::new();
        if let Some(report) = self.report {
            documents.insert(Kind::Report, report.to_vec());
        }
        if self.is_bare {
            return Ok(documents);
        }
        let Realized {
            nix,
            plan,
            selection,
            ..
        } = self.realized;
        let (variant, layer) = (&selection.variant, &selection.layer);
        let (inventory, _) = inventory::of_image(ctx, nix, plan, variant, layer)?;
        let spdx = spdx::Document::new(&inventory).text()?;
        let cyclonedx = cyclonedx::Bom::new(&inventory).text()?;
        let provenance = serde_json::to_vec(&self.provenance(ctx)?)?;
        documents.insert(Kind::Spdx, spdx.into_bytes());
        documents.insert(Kind::Cyclonedx, cyclonedx.into_bytes());
        documents.insert(Kind::Provenance, provenance);
        Ok(documents)
    }

    fn provenance(&self, ctx: &Ctx) -> Result<Provenance> {
        let selection = &self.realized.selection;
        let variant = &selection.variant;
        let parameters = Parameters {
            variant: variant.name.clone(),
            layer: selection.layer.to_string(),
            compression: self
                .compression
                .map_or("none", Compression::name)
                .to_owned(),
            without_git: variant.without_git,
            cuda_architectures: variant.cuda_architectures(),
        };
        let address = inventory::project().address;
        let own_machine = format!("{address}/blob/main/docs/origin.md#a-machine-of-your-own");
        Ok(Provenance::new(
            &address,
            head::of_checkout(ctx)?.as_ref(),
            &locks(ctx, variant)?,
            parameters,
            self.builder.unwrap_or(&own_machine),
        ))
    }
}

/// The SHA-256 of each lock that an image of the variant is built from, by its path from the root
/// of the checkout.
fn locks(ctx: &Ctx, variant: &Variant) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let system = &variant.system;
    let own = [
        system.lock_name(&format!("python/{}", variant.name)),
        system.lock_name("seed"),
        // Of every system: what builds unpack is pure, and sources are text.
        "python/build".to_owned(),
        "sources".to_owned(),
    ];
    let debian = system.lock_name("debian/");
    let files = walkdir::WalkDir::new(ctx.locks()).sort_by_file_name();
    for entry in files {
        let entry = entry?;
        let path = entry.path();
        let name = path.strip_prefix(ctx.locks())?.with_extension("");
        let name = name.to_string_lossy();
        let is_own = own.iter().any(|own| *own == name) || name.starts_with(&debian);
        if !entry.file_type().is_file() || !is_own {
            continue;
        }
        let name = path
            .strip_prefix(&ctx.root)
            .context("a lock outside the checkout")?;
        let sha256 = Sha256::of(&fs_err::read(path)?).to_string();
        found.insert(name.display().to_string(), sha256);
    }
    Ok(found)
}

/// Reads the key that signs, if there is one.
///
/// # Errors
/// The file cannot be read, or holds no such key.
pub(crate) fn read_key(args: &OriginArgs) -> Result<Option<PrivateKey>> {
    let Some(path) = &args.sign_key else {
        return Ok(None);
    };
    let text = fs_err::read(path)?;
    let key = PrivateKey::parse(&text, path).map_err(|error| error.failure())?;
    Ok(Some(key))
}

/// Attaches documents to an image, whose manifest has this digest and size, and with a key its
/// signature. What the registry has stays, and is not attached again.
///
/// # Errors
/// The registry does not answer, or does not take one.
pub(crate) fn attach(
    ctx: &Ctx,
    registry: &Registry<'_>,
    (manifest, size_bytes): (Digest, u64),
    documents: Documents,
    key: Option<&PrivateKey>,
) -> Result<Vec<AttachedDocument>> {
    let attachments = attachments(&manifest.hex(), documents, key)?;
    if attachments.is_empty() {
        return Ok(Vec::new());
    }
    let listed = registry.referrers(&manifest)?;
    let (mut new, mut attached) = (Vec::new(), Vec::new());
    for attachment in &attachments {
        let artifact = artifact(attachment);
        let digest = Digest::of(artifact.manifest(&manifest, size_bytes).as_bytes()).to_string();
        let known = listed.iter().find(|one| {
            let annotations = one.annotations.as_ref();
            one.digest == digest || annotations.is_some_and(|own| attachment.is_like(own))
        });
        attached.push(AttachedDocument {
            kind: attachment.kind.word().to_owned(),
            already: known.is_some(),
            manifest_digest: known.map_or(digest, |known| known.digest.clone()),
        });
        if known.is_none() {
            new.push(artifact);
        }
    }
    registry.attach(&manifest, size_bytes, &new)?;
    let words: Vec<&str> = attached
        .iter()
        .filter(|one| !one.already)
        .map(|one| &*one.kind)
        .collect();
    if !words.is_empty() {
        ctx.ui.step("Attached", words.join(", "));
    }
    Ok(attached)
}

/// Adds documents about an image to what is served, and with a key its signature.
///
/// # Errors
/// A document cannot be signed.
pub(crate) fn add(
    images: &mut Images,
    repository: &str,
    subject: &Digest,
    documents: Documents,
    key: Option<&PrivateKey>,
) -> Result<()> {
    for attachment in attachments(&subject.hex(), documents, key)? {
        images.attach(repository, subject, &artifact(&attachment));
    }
    Ok(())
}

fn artifact(attachment: &Attachment) -> NewArtifact<'_> {
    NewArtifact {
        artifact_type: attachment.artifact_type,
        media_type: attachment.media_type,
        annotations: &attachment.annotations,
        content: &attachment.content,
    }
}

fn attachments(
    sha256: &str,
    documents: Documents,
    key: Option<&PrivateKey>,
) -> Result<Vec<Attachment>> {
    let fail = |error: factory_origin::Error| -> Failure { error.failure() };
    let mut attachments = Vec::new();
    if let Some(key) = key {
        let nothing = serde_json::Value::Object(serde_json::Map::new());
        attachments.push(Attachment::signed(Kind::Signature, sha256, nothing, key).map_err(fail)?);
    }
    for (kind, document) in documents {
        let attachment = match key {
            Some(key) => Attachment::signed(kind, sha256, serde_json::from_slice(&document)?, key),
            None if kind == Kind::Provenance => {
                Attachment::unsigned(kind, sha256, serde_json::from_slice(&document)?)
            }
            None => Ok(Attachment::plain(kind, document)),
        };
        attachments.push(attachment.map_err(fail)?);
    }
    Ok(attachments)
}
