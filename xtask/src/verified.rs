//! The last reports of `verify`, kept in the cache for `report`.

use std::path::PathBuf;

use anyhow::Result;

use crate::ctx::Ctx;
use crate::document;
use factory_base::fs;
use factory_verify::report::Report;

/// Keeps a report, in place of the last one about the same variant and layer.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep(ctx: &Ctx, report: &Report) -> Result<()> {
    let text = document::pretty(report)? + "\n";
    fs::write_atomic(&path(ctx, &report.variant, &report.layer), text.as_bytes())
}

/// The last report about a variant and a layer.
pub(crate) fn last(ctx: &Ctx, variant: &str, layer: &str) -> Option<String> {
    fs_err::read_to_string(path(ctx, variant, layer)).ok()
}

fn path(ctx: &Ctx, variant: &str, layer: &str) -> PathBuf {
    ctx.cache
        .join("verified")
        .join(format!("{variant}-{layer}.json"))
}
