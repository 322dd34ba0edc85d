//! An image goes from the store into a container engine: the engine pulls what it lacks, or
//! gets an archive. Neither is written to disk here.

use std::cell::Cell;
use std::time::Instant;

use anyhow::Result;
use comfy_image::stream::write_docker_archive;

use crate::cli::Via;
use crate::ctx::Ctx;
use crate::document::{Loaded, LoadedVia};
use crate::exit::from_image;
use crate::interruptible::Interruptible;
use crate::pulling::{self, Outcome};
use crate::realize::Realized;
use crate::transfer::Transfer;
use factory_base::error;
use factory_base::text;
use factory_verify::Error;
use factory_verify::engine::{Engine, Reach};

use factory_base::error::Explain as _;

/// Gives an image to an engine in the best way, unless the engine has it.
pub(crate) fn load(ctx: &Ctx, engine: &Engine, realized: &Realized) -> Result<Loaded> {
    load_via(ctx, engine, realized, Via::Auto)
}

/// The same, in the way that the user asks for.
pub(crate) fn load_via(
    ctx: &Ctx,
    engine: &Engine,
    realized: &Realized,
    via: Via,
) -> Result<Loaded> {
    let start = Instant::now();
    let reference = &realized.image.reference;
    let mut loaded = Loaded {
        engine: engine.to_string(),
        already: true,
        via: None,
        n_blobs_sent: 0,
        bytes_sent: 0,
        seconds: 0.0,
    };
    if engine.find_image(&realized.image)?.is_some() {
        ctx.ui
            .step("Loaded", format!("{reference} is already in {engine}"));
    } else {
        let went = bring(ctx, engine, realized, via)?;
        ctx.ui.step(
            "Loaded",
            format!(
                "{reference} into {engine}, {} in {} in {}",
                text::count(went.n_blobs, "blob"),
                text::bytes(went.n_bytes),
                text::elapsed(start.elapsed())
            ),
        );
        loaded.already = false;
        loaded.via = Some(went.via);
        loaded.n_blobs_sent = went.n_blobs;
        loaded.bytes_sent = went.n_bytes;
    }
    loaded.seconds = start.elapsed().as_secs_f64();
    Ok(loaded)
}

/// What went into the engine.
struct Went {
    via: LoadedVia,
    n_blobs: usize,
    n_bytes: u64,
}

fn bring(ctx: &Ctx, engine: &Engine, realized: &Realized, via: Via) -> Result<Went> {
    let why = match via {
        Via::Archive => None,
        Via::Pull | Via::Auto => match (engine.reach()?, via) {
            (Reach::None(why), Via::Auto) => Some(why),
            _ => match pulling::pull(ctx, engine, realized)? {
                Outcome::Pulled(pulled) => {
                    find(engine, realized)?;
                    return Ok(Went {
                        via: LoadedVia::Pull,
                        n_blobs: pulled.n_blobs,
                        n_bytes: pulled.n_bytes,
                    });
                }
                Outcome::Unreached(error) if via == Via::Pull => {
                    return Err(error.context(
                        error::environment(format!(
                            "{engine} does not reach this machine's loopback"
                        ))
                        .hint("give it the whole archive: `--via archive`"),
                    ));
                }
                Outcome::Unreached(error) => {
                    ctx.ui.detail(format!("{error:#}"));
                    Some(format!("{engine} does not reach this machine's loopback"))
                }
            },
        },
    };
    if let Some(why) = why {
        ctx.ui.status(format!("{why}; it gets the whole archive"));
    }
    archive(ctx, engine, realized)
}

/// The image that was pulled, under its name.
fn find(engine: &Engine, realized: &Realized) -> Result<()> {
    let image = &realized.image;
    if engine.find_image(image)?.is_some() {
        return Ok(());
    }
    let (engine, name) = (engine.to_string(), image.reference.to_string());
    Err(Error::NotKept { engine, name }.failure().into())
}

fn archive(ctx: &Ctx, engine: &Engine, realized: &Realized) -> Result<Went> {
    let image = &realized.image;
    let name = image.reference.to_string();
    let transfer = Transfer::start(&ctx.ui, "Loading", &name, image.size_bytes);
    let written = Cell::new(0);
    let fed = engine.load(|stdin| {
        let mut stdin = Interruptible {
            cancel: ctx,
            inner: stdin,
        };
        let progress = |n_bytes| {
            written.set(written.get() + n_bytes);
            transfer.advance(n_bytes);
        };
        let store_root = realized.nix.store_root();
        write_docker_archive(image, None, store_root, &mut stdin, &progress).map_err(from_image)
    });
    transfer.finish();
    ctx.check_interrupted()?;
    fed?;
    // A pull that was interrupted before may have left parts.
    engine.remove_served_names()?;
    Ok(Went {
        via: LoadedVia::Archive,
        n_blobs: image.blobs().count(),
        n_bytes: written.get(),
    })
}
