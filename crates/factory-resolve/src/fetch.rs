//! One file, by the way that all sources come: the user's mirrors, resumed, hashed.

use anyhow::Result;

use crate::context::Context;
use factory_fetch::{Downloader, Http, Job, Locations, Progress};

/// Brings a file to its destination.
///
/// # Errors
/// No origin serves the right bytes: each one with its reason.
pub(crate) fn file(ctx: &dyn Context, job: &Job) -> Result<()> {
    let http = Http::from_environment()?;
    let locations = Locations::new(ctx, &http, ctx.root());
    let downloader = Downloader::new(ctx, &http, &locations, ctx.cache());
    let progress = Progress::new(ctx, 1, job.size.unwrap_or(0));
    downloader.fetch(job, &progress)?;
    Ok(())
}
