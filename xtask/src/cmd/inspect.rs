//! `inspect`: an image of a registry, for people, with all that is attached to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use crate::cli::InspectArgs;
use crate::ctx::Ctx;
use crate::document::{self, InspectedImage, Signed};
use crate::inspection;
use crate::operand;
use factory_base::error::{self, Explain as _};
use factory_base::text;
use factory_origin::PublicKey;
use oci_registry::Registry;

/// So many licences are shown; the rest is counted.
const MOST_LICENCES: usize = 8;
/// Digits of a digest that tell it from the others on the screen.
const SHORT: usize = "sha256:".len() + 12;

pub(super) fn run(ctx: &Ctx, args: &InspectArgs) -> Result<()> {
    if ctx.offline {
        return Err(error::bad_input("`inspect` cannot work with `--offline`").into());
    }
    let key = args.key.as_deref().map(read_key).transpose()?;
    let Some((repository, version)) = operand::remote(&args.image)? else {
        let text = format!("`{}` names no image of a registry", args.image);
        return Err(error::bad_input(text)
            .hint("write it as in `ghcr.io/OWNER/NAME:TAG`")
            .into());
    };
    let registry = Registry::open(ctx, &repository)?.for_reading();
    let inspected = inspection::inspect(&registry, &args.image, &version, key.as_ref())?;
    let Some(image) = inspected else {
        return Err(error::environment(format!("there is no image `{}`", args.image)).into());
    };
    if ctx.json {
        document::print(ctx, &image)?;
    } else {
        ctx.ui.data(shown(&image).trim_end())?;
    }
    if image.faults.is_empty() {
        return Ok(());
    }
    let text = format!(
        "`{}` is not what it says\n  {}",
        args.image,
        image.faults.join("\n  ")
    );
    Err(error::not_right(text).into())
}

fn read_key(path: &Path) -> Result<PublicKey> {
    let text = fs_err::read(path)?;
    Ok(PublicKey::parse(&text, path).map_err(|error| error.failure())?)
}

fn shown(image: &InspectedImage) -> String {
    let mut out = String::new();
    show_image(image, &mut out);
    show_origin(image, &mut out);
    out
}

/// A line of the result: what it is, and what there is to say.
fn line(out: &mut String, head: &str, rest: &str) {
    out.push_str(&format!("{head:<12} {rest}\n"));
}

/// The image itself, and what is attached to it.
fn show_image(image: &InspectedImage, out: &mut String) {
    line(out, "image", &image.reference);
    line(out, "manifest", &image.manifest_digest);
    line(out, "config", &image.config_digest);
    let (size, n_blobs) = (text::bytes(image.size_bytes), image.blobs.len());
    line(out, "size", &format!("{size} in {n_blobs} blobs"));
    for (name, size) in layers(image) {
        line(out, "  layer", &format!("{name:<18} {}", text::bytes(size)));
    }
    for (name, value) in &image.labels {
        line(out, "  label", &format!("{name}={value}"));
    }
    for one in &image.attached {
        let digest = &one.manifest_digest;
        let digest = digest.get(..SHORT).unwrap_or(digest);
        let (kind, size) = (&one.kind, text::bytes(one.size_bytes));
        let rest = format!("{kind:<16} {digest}  {size:>10}  {}", word(one.signed));
        line(out, "attached", &rest);
    }
}

/// What is said of it.
fn show_origin(image: &InspectedImage, out: &mut String) {
    if let Some(contents) = &image.contents {
        let (n_packages, signed) = (contents.n_packages, word(contents.signed));
        line(out, "packages", &format!("{n_packages} ({signed})"));
        let layers = contents.layers.iter();
        let layers: Vec<String> = layers.map(|(name, n)| format!("{name} {n}")).collect();
        line(out, "  by layer", &layers.join(", "));
        line(out, "  licences", &licences(&contents.licences, n_packages));
    }
    if let Some(provenance) = &image.provenance {
        let revision = provenance.revision.as_deref().unwrap_or("no revision");
        let changed = if provenance.is_changed {
            ", with changed files"
        } else {
            ""
        };
        let signed = word(provenance.signed);
        line(
            out,
            "built from",
            &format!("{revision}{changed} ({signed})"),
        );
        let (variant, layer) = (&provenance.variant, &provenance.layer);
        line(out, "  what", &format!("{variant} up to {layer}"));
        line(out, "  by", &provenance.builder);
    }
    for report in &image.reports {
        let gpus = match report.gpus.as_slice() {
            [] => "no GPU".to_owned(),
            some => some.join(", "),
        };
        let (passed, failed, skipped) = (report.n_passed, report.n_failed, report.n_skipped);
        let (date, signed) = (&report.date, word(report.signed));
        let counts = format!("{passed} passed, {failed} failed, {skipped} skipped");
        line(
            out,
            "verified",
            &format!("{counts}; {date}, {gpus} ({signed})"),
        );
    }
}

/// Size of each layer, in order: blobs of one layer stand together.
fn layers(image: &InspectedImage) -> Vec<(String, u64)> {
    let mut layers: Vec<(String, u64)> = Vec::new();
    for blob in &image.blobs {
        // `layer 05-pak3 (1 of 2)`
        let name = blob.layer.as_deref().unwrap_or("?");
        let name = name.trim_start_matches("layer ");
        let name = name.split(" (").next().unwrap_or(name);
        match layers.last_mut() {
            Some((last, size)) if last == name => *size += blob.size_bytes,
            _ => layers.push((name.to_owned(), blob.size_bytes)),
        }
    }
    layers
}

/// The most frequent ones. A package counts for each licence that it names.
fn licences(all: &BTreeMap<String, usize>, n_packages: usize) -> String {
    let mut single: BTreeMap<&str, usize> = BTreeMap::new();
    for (expression, n) in all {
        let names: BTreeSet<&str> = expression
            .split(" AND ")
            .flat_map(|part| part.split(" OR "))
            .map(|name| name.trim_matches(['(', ')']))
            .collect();
        for name in names {
            *single.entry(name).or_default() += n;
        }
    }
    let mut sorted: Vec<(&str, usize)> = single.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let n_rest = sorted.len().saturating_sub(MOST_LICENCES);
    sorted.truncate(MOST_LICENCES);
    let shown = sorted.iter().map(|(name, n)| format!("{name} {n}"));
    let mut parts: Vec<String> = shown.collect();
    if n_rest > 0 {
        parts.push(format!("{n_rest} others"));
    }
    let n_silent = n_packages.saturating_sub(all.values().sum());
    parts.push(format!("none stated {n_silent}"));
    parts.join(", ")
}

fn word(signed: Signed) -> &'static str {
    match signed {
        Signed::No => "not signed",
        Signed::Unchecked => "signed, not checked",
        Signed::OtherKey => "signed with another key",
        Signed::ByKey => "signed with the key",
    }
}
