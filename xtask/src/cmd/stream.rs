//! `stream`: the image as an archive on stdout, or as an OCI layout.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::Result;
use comfy_image::image::Image;
use comfy_image::layout::{WriteOptions, write_layout};
use comfy_image::stream::{write_docker_archive, write_oci_archive};

use crate::cli::{ArchiveFormat, StreamArgs};
use crate::ctx::Ctx;
use crate::document::{self, Streamed};
use crate::exit::from_image;
use crate::interruptible::Interruptible;
use crate::realize::{self, Realized};
use crate::transfer::Transfer;
use factory_base::error;

pub(super) fn run(ctx: &Ctx, args: &StreamArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let Some(directory) = &args.oci_layout else {
        check_stdout(ctx)?;
        return archive(ctx, args.format, &realize::realize(ctx, selection)?);
    };
    layout(ctx, directory, &realize::realize(ctx, selection)?)
}

/// An archive on stdout wants it alone, and nobody to read it.
fn check_stdout(ctx: &Ctx) -> Result<()> {
    if ctx.json {
        return Err(
            error::bad_input("`--json` and an archive cannot share stdout")
                .hint("write a directory instead: `--oci-layout DIR`")
                .into(),
        );
    }
    if std::io::stdout().is_terminal() {
        return Err(
            error::bad_input("refusing to write an archive to a terminal")
                .hint("pipe it into an engine: `cargo xtask stream | docker load`")
                .hint("or write a directory: `cargo xtask stream --oci-layout DIR`")
                .into(),
        );
    }
    Ok(())
}

fn transfer(ctx: &Ctx, image: &Image) -> Transfer {
    let reference = image.reference.to_string();
    Transfer::start(&ctx.ui, "Writing", &reference, image.size_bytes)
}

fn layout(ctx: &Ctx, directory: &Path, realized: &Realized) -> Result<()> {
    let image = &realized.image;
    let transfer = transfer(ctx, image);
    let options = WriteOptions {
        reference: None,
        store_root: realized.nix.store_root(),
    };
    let progress = |n_bytes| transfer.advance(n_bytes);
    let report = write_layout(image, directory, &options, &progress).map_err(from_image)?;
    transfer.finish();
    let manifest_digest = image.manifest.digest.to_string();
    if !ctx.json {
        ctx.ui.data(manifest_digest)?;
        return Ok(());
    }
    let streamed = Streamed {
        reference: image.reference.to_string(),
        manifest_digest,
        directory: directory.to_owned(),
        n_written: report.n_written,
        n_kept: report.n_kept,
        n_replaced: report.n_replaced,
    };
    document::print(ctx, &streamed)
}

fn archive(ctx: &Ctx, format: ArchiveFormat, realized: &Realized) -> Result<()> {
    let image = &realized.image;
    let store_root = realized.nix.store_root();
    let transfer = transfer(ctx, image);
    let progress = |n_bytes| transfer.advance(n_bytes);
    // Without the line buffer of `Stdout`, which would look for newlines in gigabytes.
    let mut file = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut out = Interruptible {
        cancel: ctx,
        inner: &mut file,
    };
    let written = match format {
        ArchiveFormat::OciArchive => {
            write_oci_archive(image, None, store_root, &mut out, &progress)
        }
        ArchiveFormat::DockerArchive => {
            write_docker_archive(image, None, store_root, &mut out, &progress)
        }
    };
    transfer.finish();
    ctx.check_interrupted()?;
    written.map_err(from_image)
}
