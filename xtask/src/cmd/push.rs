//! `push`: the image goes from the store to a registry, and no archive is written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::Result;
use comfy_image::compression::Compression;
use comfy_image::image::Document;
use comfy_image::stream::Plan;
use comfy_image::{Digest, Reference};

use crate::attaching::{self, About};
use crate::cli::PushArgs;
use crate::ctx::Ctx;
use crate::document::{self, Attached, Pushed, PushedImage};
use crate::exit::from_image;
use crate::outgoing::{Outgoing, OutgoingBlob};
use crate::realize::{self, Realized};
use crate::select;
use crate::siblings::Siblings;
use crate::transfer::Transfer;
use factory_base::error;
use factory_base::text;
use factory_fetch::for_each;
use factory_origin::{AttachmentKind as Kind, PrivateKey};
use oci_registry::Registry;

/// Blobs that are asked for, or sent, at once.
const CONNECTIONS: usize = 4;

pub(super) fn run(ctx: &Ctx, args: &PushArgs) -> Result<()> {
    if ctx.offline {
        return Err(error::bad_input("`push` cannot work with `--offline`").into());
    }
    let report = args.report.as_deref().map(read_report).transpose()?;
    let key = attaching::read_key(&args.origin)?;
    if let (Some(report), true) = (&report, args.report_only) {
        return attach(ctx, &Subject::parse(&args.to)?, report, key.as_ref());
    }
    let (repository, tag) = target(&args.to)?;
    let layers = if args.layer == "all" {
        if tag.is_some() {
            return Err(error::bad_input("all layers cannot have one tag")
                .hint(format!("leave the tag out: `--to {repository}`"))
                .into());
        }
        select::layers(ctx)?
    } else {
        vec![select::layer(ctx, &args.layer)?]
    };
    let siblings = Siblings::read(ctx)?;
    let mut names = args.mount_from.clone();
    names.extend(siblings.of(&repository));
    let registry = Registry::open(ctx, &repository)?.with_siblings(&names)?;
    let mut all = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let selection = realize::selection(ctx, &args.variant, &layer.to_string(), None)?;
        let realized = realize::realize(ctx, selection)?;
        let is_last = index + 1 == layers.len();
        let about = About {
            realized: &realized,
            compression: args.compression.encoder(),
            report: report.as_deref().filter(|_| is_last),
            builder: args.builder.as_deref(),
            is_bare: args.origin.bare,
        };
        let tag = tag.as_deref().unwrap_or(realized.image.reference.tag());
        let reference = format!("{repository}:{tag}");
        let pushed = push_with_origin(ctx, &registry, &about, tag, reference, key.as_ref())?;
        if !ctx.json {
            let digest = &pushed.manifest_digest;
            ctx.ui.data(format!("{repository}@{digest}"))?;
        }
        all.push(pushed);
    }
    siblings.write(ctx, &repository)?;
    if ctx.json {
        document::print(ctx, &Pushed { images: all })?;
    }
    Ok(())
}

/// Pushes an image, and attaches to it what there is to say of it.
fn push_with_origin(
    ctx: &Ctx,
    registry: &Registry<'_>,
    about: &About<'_>,
    tag: &str,
    reference: String,
    key: Option<&PrivateKey>,
) -> Result<PushedImage> {
    // Before anything is sent: what cannot be said of an image is a reason not to push it.
    let documents = about.documents(ctx)?;
    let (realized, compression) = (about.realized, about.compression);
    let (mut pushed, manifest) = push(ctx, registry, realized, compression, tag, reference)?;
    let manifest = (manifest.digest, manifest.size_bytes);
    pushed.attached = attaching::attach(ctx, registry, manifest, documents, key)?;
    let mut attached = pushed.attached.iter();
    let report = attached.find(|one| one.kind == Kind::Report.word());
    pushed.report_digest = report.map(|report| report.manifest_digest.clone());
    Ok(pushed)
}

/// Attaches a report to an image that was pushed earlier, perhaps by another machine.
fn attach(ctx: &Ctx, subject: &Subject, report: &[u8], key: Option<&PrivateKey>) -> Result<()> {
    let repository = &subject.repository;
    let registry = Registry::open(ctx, repository)?;
    let Some((digest, size_bytes)) = registry.manifest(&subject.version)? else {
        return Err(error::environment(format!("there is no image `{}`", subject.text)).into());
    };
    if subject.digest.is_some_and(|asked| asked != digest) {
        let text = format!(
            "the registry answers `{}` with another manifest",
            subject.text
        );
        return Err(error::environment(text)
            .hint(format!("what it sent has the digest {digest}"))
            .into());
    }
    let documents = BTreeMap::from([(Kind::Report, report.to_vec())]);
    let attached = attaching::attach(ctx, &registry, (digest, size_bytes), documents, key)?;
    for one in attached {
        let report_digest = one.manifest_digest;
        if ctx.json {
            let manifest_digest = digest.to_string();
            let attached = Attached {
                manifest_digest,
                report_digest,
            };
            document::print(ctx, &attached)?;
        } else {
            ctx.ui.data(format!("{repository}@{report_digest}"))?;
        }
    }
    Ok(())
}

fn push(
    ctx: &Ctx,
    registry: &Registry<'_>,
    realized: &Realized,
    compression: Option<Compression>,
    tag: &str,
    reference: String,
) -> Result<(PushedImage, Document)> {
    let start = Instant::now();
    let outgoing = Outgoing::of(ctx, realized, compression)?;
    let before = registry.traffic();
    let manifest = outgoing.manifest;
    let already = registry.has_manifest(tag, &manifest.digest)?;
    let mut n_blobs_sent = 0;
    if !already {
        let missing = missing(registry, outgoing.blobs)?;
        n_blobs_sent = missing.len();
        send(ctx, registry, realized, &missing, &reference)?;
        let config = &realized.image.config;
        registry.push_small(&config.digest, config.json.as_bytes())?;
        registry.push_manifest(tag, &manifest.json)?;
    }
    let after = registry.traffic();
    let pushed = PushedImage {
        reference,
        manifest_digest: manifest.digest.to_string(),
        config_digest: realized.image.config.digest.to_string(),
        already,
        n_blobs_sent,
        blob_bytes_sent: after.blob_bytes - before.blob_bytes,
        n_blobs_mounted: after.n_mounted - before.n_mounted,
        n_requests: after.n_requests - before.n_requests,
        report_digest: None,
        attached: Vec::new(),
    };
    ctx.ui.step(
        "Pushed",
        if already {
            format!("{} is there already", pushed.reference)
        } else {
            format!(
                "{}, {} sent in {}; {}",
                pushed.reference,
                text::bytes(pushed.blob_bytes_sent),
                text::elapsed(start.elapsed()),
                readers(compression)
            )
        },
    );
    Ok((pushed, manifest))
}

/// What an engine must be able to read.
fn readers(compression: Option<Compression>) -> &'static str {
    match compression {
        Some(Compression::Zstd) => {
            "engines must read zstd: docker from 23, containerd from 1.5, any podman of today"
        }
        Some(Compression::Gzip) => "every engine reads it",
        None => "every engine reads it, and nothing is compressed",
    }
}

/// Those that the registry lacks, each once.
fn missing<'i>(
    registry: &Registry<'_>,
    blobs: Vec<OutgoingBlob<'i>>,
) -> Result<Vec<OutgoingBlob<'i>>> {
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    let mut blobs = blobs;
    blobs.retain(|blob| seen.insert(blob.digest));
    let mut present = BTreeSet::new();
    for_each(
        &blobs,
        CONNECTIONS,
        |asked| {
            let digest = &asked.digest;
            Ok::<_, anyhow::Error>(registry.has_blob(digest)? || registry.mount_blob(digest)?)
        },
        |asked, has| {
            if has? {
                present.insert(asked.digest);
            }
            Ok(())
        },
    )?;
    blobs.retain(|blob| !present.contains(&blob.digest));
    Ok(blobs)
}

fn send(
    ctx: &Ctx,
    registry: &Registry<'_>,
    realized: &Realized,
    missing: &[OutgoingBlob<'_>],
    reference: &str,
) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let size_bytes = missing.iter().map(|blob| blob.size_bytes).sum();
    let transfer = Transfer::start(&ctx.ui, "Pushing", reference, size_bytes);
    let store_root = realized.nix.store_root();
    // One listing of a layer's trees serves all of its blobs.
    let mut plans = BTreeMap::new();
    for blob in missing.iter().filter(|blob| blob.needs_plan()) {
        let layer = blob.layer;
        if !plans.contains_key(&layer.name) {
            let plan = Plan::open(&layer.name, &layer.blobs, store_root).map_err(from_image)?;
            plans.insert(&layer.name, plan);
        }
    }
    let sent = for_each(
        missing,
        CONNECTIONS,
        |blob| {
            let plan = plans.get(&blob.layer.name);
            let progress = |n_bytes| transfer.advance(n_bytes);
            registry.push_blob(&blob.digest, blob.size_bytes, &|out| {
                blob.write(ctx, store_root, plan, out, &progress)
            })
        },
        |_, result| result,
    );
    transfer.finish();
    ctx.check_interrupted()?;
    sent
}

/// An image in a registry that something is attached to.
struct Subject {
    /// As it was given.
    text: String,
    repository: String,
    /// The tag, or the digest as text: what stands in the URL of the manifest.
    version: String,
    digest: Option<Digest>,
}

impl Subject {
    /// Reads `HOST/NAME:TAG` or `HOST/NAME@DIGEST`.
    fn parse(text: &str) -> Result<Self> {
        let subject = |repository, version: String, digest| Self {
            text: text.to_owned(),
            repository,
            version,
            digest,
        };
        if let Some((name, digest)) = text.split_once('@') {
            let digest: Digest = digest
                .parse()
                .map_err(|source| error::bad_input(format!("`--to {text}`: {source}")))?;
            let (repository, _) = target(name)?;
            return Ok(subject(repository, digest.to_string(), Some(digest)));
        }
        let (repository, tag) = target(text)?;
        let Some(tag) = tag else {
            let text = "`--report-only` needs the image's tag or digest";
            return Err(error::bad_input(text)
                .hint(format!("add it: `--to {repository}:TAG`"))
                .into());
        };
        Ok(subject(repository, tag, None))
    }
}

/// `HOST/NAME` and the tag, if one is given.
fn target(text: &str) -> Result<(String, Option<String>)> {
    if let Some((name, _)) = text.split_once('@') {
        let message = format!("`--to {text}`: an image is pushed under a tag");
        return Err(error::bad_input(message)
            .hint(format!(
                "`--to {name}`; the digest is printed when it is there"
            ))
            .into());
    }
    let has_tag = text
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'));
    let full = if has_tag {
        text.to_owned()
    } else {
        format!("{text}:none")
    };
    let reference: Reference = full
        .parse()
        .map_err(|source| error::bad_input(format!("`--to {text}`: {source}")))?;
    let tag = has_tag.then(|| reference.tag().to_owned());
    Ok((reference.repository().to_owned(), tag))
}

/// Reads a document that is going to be attached: the report of `verify --report FILE`.
fn read_report(path: &std::path::Path) -> Result<Vec<u8>> {
    let bytes = fs_err::read(path)?;
    let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
    parsed.map_err(|source| {
        error::bad_input(format!("`{}` is not JSON: {source}", path.display()))
            .hint("write it with `cargo xtask verify --report FILE`")
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_targets() {
        for (text, repository, tag) in [
            ("ghcr.io/me/name", "ghcr.io/me/name", None),
            ("ghcr.io/me/name:1.2", "ghcr.io/me/name", Some("1.2")),
            ("localhost:5000/name", "localhost:5000/name", None),
            ("127.0.0.1:5000/name:x", "127.0.0.1:5000/name", Some("x")),
        ] {
            let expected = (repository.to_owned(), tag.map(str::to_owned));
            assert_eq!(target(text).unwrap(), expected);
        }
        for text in ["ghcr.io/Me/name", "ghcr.io/me/name@sha256:1"] {
            let error = target(text).unwrap_err();
            assert_eq!(error::kind_of(&error), error::Kind::BadInput, "{text}");
        }
    }

    #[test]
    fn ok_subjects() {
        let tagged = Subject::parse("localhost:5000/name:1.2").unwrap();
        assert_eq!(tagged.repository, "localhost:5000/name");
        assert_eq!((tagged.version.as_str(), tagged.digest), ("1.2", None));
        let digest = Digest::of(b"");
        for text in [
            format!("localhost:5000/name@{digest}"),
            format!("localhost:5000/name:1.2@{digest}"),
        ] {
            let exact = Subject::parse(&text).unwrap();
            assert_eq!(exact.repository, "localhost:5000/name");
            assert_eq!(exact.version, digest.to_string());
            assert_eq!(exact.digest, Some(digest));
        }
    }

    #[test]
    fn err_subjects() {
        for text in ["localhost:5000/name", "localhost:5000/name@sha256:1"] {
            let error = Subject::parse(text).err().unwrap();
            assert_eq!(error::kind_of(&error), error::Kind::BadInput, "{text}");
        }
    }
}
