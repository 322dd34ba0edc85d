//! `growth`: ten times the packages, ten times the layers. What each takes must not grow.

use std::path::{Path, PathBuf};

use anyhow::Result;
use comfy_image::image::ImageRequest;
use factory_bench::synthetic;
use xshell::Shell;

use super::stream::write_packages;
use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;

/// Small packages of the usual kind.
const PACKAGES: [usize; 2] = [200, 2_000];
const PACKAGE_BYTES: usize = 16 << 10;
const FILE_BYTES: usize = 2 << 10;
/// Engines take at most some 120 layers; what counts the items here is this program.
const LAYERS: [usize; 2] = [12, 120];
const PACKAGES_OF_A_LAYER: usize = 10;

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let tool = bench.image_tool()?;
    let shell = Shell::new()?;
    let meter = Meter::new(bench.ctx)?;
    let mut requests = Vec::new();
    for n_packages in PACKAGES {
        bench
            .ctx
            .ui
            .step("Preparing", format!("{n_packages} packages"));
        let directory = bench.scratch.empty(&format!("packages-{n_packages}"))?;
        let request = write_packages(&directory, "bench", n_packages, PACKAGE_BYTES, FILE_BYTES)?;
        requests.push((n_packages, request));
    }
    let mut images = Vec::new();
    for n_layers in LAYERS {
        bench.ctx.ui.step("Preparing", format!("{n_layers} layers"));
        let directory = bench.scratch.empty(&format!("layers-{n_layers}"))?;
        images.push((n_layers, write_image(bench, &tool, &directory, n_layers)?));
    }
    for _ in 0..bench.wishes.n_runs {
        for (n_packages, request) in &requests {
            let out = request.with_extension("spec");
            let cmd = shell.cmd(&tool).args(["--quiet", "layer", "--request"]);
            let mut run = meter.run(cmd.arg(request).arg("--out").arg(out))?.run;
            run.n_items = Some(*n_packages as u64);
            recorder.add(
                What::ours(&format!("a layer of {n_packages} packages"), "comfy-image"),
                run,
            );
        }
        for (n_layers, request) in &images {
            let out = request.with_extension("image");
            let cmd = shell.cmd(&tool).args(["--quiet", "image", "--request"]);
            let mut run = meter.run(cmd.arg(request).arg("--out").arg(out))?.run;
            run.n_items = Some(*n_layers as u64);
            recorder.add(
                What::ours(&format!("an image of {n_layers} layers"), "comfy-image"),
                run,
            );
        }
    }
    Ok(())
}

/// Layers of equal packages, each at a place of its own, and the request for their image.
fn write_image(
    bench: &Bench<'_>,
    tool: &Path,
    directory: &Path,
    n_layers: usize,
) -> Result<PathBuf> {
    let shell = Shell::new()?;
    let mut layers = Vec::new();
    for number in 0..n_layers {
        bench.ctx.check_interrupted()?;
        let layer = directory.join(format!("{number:03}"));
        fs_err::create_dir_all(&layer)?;
        let name = format!("bench-{number:03}");
        let request = write_packages(
            &layer,
            &name,
            PACKAGES_OF_A_LAYER,
            PACKAGE_BYTES,
            FILE_BYTES,
        )?;
        // Packages of two layers may not have one path.
        for package in 0..PACKAGES_OF_A_LAYER {
            let lib = layer.join(format!("package-{package:05}/root/usr/lib"));
            fs_err::rename(
                lib.join("python3.14t"),
                lib.join(format!("python-{number:03}")),
            )?;
        }
        let spec = layer.join("spec.json");
        let cmd = shell.cmd(tool).args(["--quiet", "layer", "--request"]);
        factory_base::process::capture(cmd.arg(&request).arg("--out").arg(&spec))?;
        layers.push(spec);
    }
    let mut request: ImageRequest = serde_json::from_str(synthetic::IMAGE_REQUEST)?;
    request.layers = layers;
    let file = directory.join("image.json");
    fs_err::write(&file, serde_json::to_vec(&request)?)?;
    Ok(file)
}
