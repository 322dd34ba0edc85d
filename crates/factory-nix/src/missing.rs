//! Which fixed outputs a build still needs
//! (docs/design/D03-mirrors-never-change-a-store-path.md).

use std::collections::BTreeMap;

use anyhow::Result;
use xshell::Shell;

use super::Nix;
use super::drv::Drv;
use factory_base::ctx::Ctx;
use factory_base::error::{Failure, Kind};
use factory_base::process;
use factory_base::ui;
use factory_model::lock::{Origin, Sha256};

/// How many of a longer list a message names.
const NAMED: usize = 10;

/// A fixed-output derivation that a build needs and the store lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSource {
    /// Store name of the output (after the hash).
    pub name: String,
    /// The output path.
    pub out_path: String,
    /// Hash over the file (flat) or over its NAR (recursive).
    pub hash: Sha256,
    /// NAR hash instead of file hash.
    pub recursive: bool,
    /// Size in bytes when the lock has it.
    pub size: Option<u64>,
    /// Where to look, in order.
    pub origins: Vec<Origin>,
}

/// The fixed outputs that realizing `drv_paths` needs and the store lacks, by name. What is
/// built already does not need its sources.
///
/// # Errors
/// Nix fails, or a derivation's `origins` cannot be read.
pub fn missing_sources(ctx: &Ctx, nix: &Nix, drv_paths: &[String]) -> Result<Vec<MissingSource>> {
    if drv_paths.is_empty() {
        return Ok(Vec::new());
    }
    let shell = Shell::new()?;
    let mut cmd = nix
        .cmd(&shell, "nix-store")
        .args(["--realise", "--dry-run"])
        .args(drv_paths);
    if ctx.offline {
        cmd = cmd.args(["--option", "substitute", "false"]);
    }
    let mut lines = Vec::new();
    let ((status, command), _) = process::run(cmd, |line| lines.push(line.to_owned()))?;
    process::finish(&command, status, &lines)?;
    let mut missing = BTreeMap::new();
    for drv_path in to_be_built(&lines) {
        if let Some(source) = source_of(drv_path, &nix.derivation(drv_path)?)? {
            // Two derivations may declare the same output.
            missing.insert(source.out_path.clone(), source);
        }
    }
    let mut missing: Vec<_> = missing.into_values().collect();
    missing.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(missing)
}

/// The derivations under "will be built" in what a dry run of `nix-store` says.
fn to_be_built(lines: &[String]) -> impl Iterator<Item = &str> {
    let mut is_section = false;
    lines.iter().filter_map(move |line| {
        let Some(path) = line.strip_prefix("  ") else {
            is_section = line.ends_with("will be built:");
            return None;
        };
        (is_section && path.ends_with(".drv")).then_some(path)
    })
}

fn source_of(drv_path: &str, drv: &Drv) -> Result<Option<MissingSource>> {
    let Some(output) = drv
        .outputs
        .get("out")
        .filter(|output| !output.hash.is_empty())
    else {
        return Ok(None);
    };
    let bug = |what: &str| Failure::new(Kind::Bug, format!("the source `{drv_path}` {what}"));
    let recursive = match output.hash_algorithm.as_str() {
        "sha256" => false,
        "r:sha256" => true,
        other => return Err(bug(&format!("has a hash by `{other}`, not by SHA-256")).into()),
    };
    let origins = drv
        .attribute("origins")
        .ok_or_else(|| bug("does not say where it comes from (no `origins`)"))?;
    let origins = serde_json::from_str(&origins)
        .map_err(|source| bug(&format!("has `origins` that cannot be read: {source}")))?;
    let name = drv.attribute("name").ok_or_else(|| bug("has no name"))?;
    Ok(Some(MissingSource {
        name,
        out_path: output.path.clone(),
        hash: output.hash.parse()?,
        recursive,
        size: drv
            .attribute("sizeBytes")
            .and_then(|text| text.parse().ok()),
        origins,
    }))
}

pub(super) fn describe(source: &MissingSource) -> String {
    match source.size {
        Some(size) => format!("{} ({})", source.name, ui::bytes(size)),
        None => source.name.clone(),
    }
}

pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub(super) fn named(items: &[String]) -> String {
    let mut lines: Vec<_> = items
        .iter()
        .take(NAMED)
        .map(|item| format!("    {item}"))
        .collect();
    if items.len() > NAMED {
        lines.push(format!("    and {} more", items.len() - NAMED));
    }
    lines.join("\n")
}
