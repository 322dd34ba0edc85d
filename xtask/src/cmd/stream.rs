//! `stream`: the image as an archive on stdout, or as an OCI layout.

use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;

use anyhow::Result;
use comfy_image::layout::{WriteOptions, write_layout};
use comfy_image::stream::{write_docker_archive, write_oci_archive};

use crate::cli::{ArchiveFormat, StreamArgs};
use crate::ctx::Ctx;
use crate::document::{self, Streamed};
use crate::exit::from_image;
use crate::interruptible::Interruptible;
use crate::realize;
use crate::transfer::Transfer;
use factory_base::error;

pub(super) fn run(ctx: &Ctx, args: &StreamArgs) -> Result<()> {
    let selection = realize::selection(ctx, &args.variant, &args.layer, None)?;
    let stdout = std::io::stdout();
    if args.oci_layout.is_none() {
        if ctx.json {
            return Err(
                error::bad_input("`--json` and an archive cannot share stdout")
                    .hint("write a directory instead: `--oci-layout DIR`")
                    .into(),
            );
        }
        if stdout.is_terminal() {
            return Err(
                error::bad_input("refusing to write an archive to a terminal")
                    .hint("pipe it into an engine: `cargo xtask stream | docker load`")
                    .hint("or write a directory: `cargo xtask stream --oci-layout DIR`")
                    .into(),
            );
        }
    }
    let realized = realize::realize(ctx, selection)?;
    let image = &realized.image;
    let store_root = realized.nix.store_root();
    let transfer = Transfer::start(
        &ctx.ui,
        "Writing",
        &image.reference.to_string(),
        image.size_bytes,
    );
    let progress = |n_bytes| transfer.advance(n_bytes);

    if let Some(directory) = &args.oci_layout {
        let options = WriteOptions {
            reference: None,
            store_root,
            // A blob of the right size may still be wrong.
            check_existing: true,
        };
        let report = write_layout(image, directory, &options, &progress).map_err(from_image)?;
        transfer.finish();
        if ctx.json {
            let streamed = Streamed {
                reference: image.reference.to_string(),
                manifest_digest: image.manifest.digest.to_string(),
                directory: directory.clone(),
                n_written: report.n_written,
                n_kept: report.n_kept,
                n_replaced: report.n_replaced,
            };
            document::print(ctx, &streamed)?;
        } else {
            ctx.ui.data(image.manifest.digest.to_string())?;
        }
        return Ok(());
    }
    // Without the line buffer of `Stdout`, which would look for newlines in gigabytes.
    let mut file = File::from(stdout.as_fd().try_clone_to_owned()?);
    let mut out = Interruptible {
        cancel: ctx,
        inner: &mut file,
    };
    let written = match args.format {
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
