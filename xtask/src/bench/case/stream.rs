//! `stream`: package trees to hashed tar streams, against hashing the same bytes alone.

use std::path::{Path, PathBuf};

use anyhow::Result;
use comfy_image::layer::{LayerRequest, LayerSpec, TreeRef};
use comfy_image::stream::Plan;
use factory_bench::synthetic;
use xshell::Shell;

use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;
use crate::exit::from_image;

/// Bytes of each package, and how many there are: 512 MiB in all.
const PACKAGE_BYTES: usize = 16 << 20;
const N_PACKAGES: usize = 32;
/// Files of packages: libraries, modules, and what lies between.
const FILES: [(&str, usize); 3] = [
    ("files of 16 MiB", 16 << 20),
    ("files of 1 MiB", 1 << 20),
    ("files of 20 KiB", 20 << 10),
];

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let tool = bench.image_tool()?;
    let shell = Shell::new()?;
    let meter = Meter::new(bench.ctx)?;
    let jobs = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .to_string();
    for (what, file_bytes) in FILES {
        bench.ctx.ui.step("Preparing", what);
        let directory = bench.scratch.empty("stream")?;
        let request = write_packages(&directory, "bench", N_PACKAGES, PACKAGE_BYTES, file_bytes)?;
        let spec = directory.join("spec.json");
        let layer = || {
            let cmd = shell.cmd(&tool).args(["--quiet", "layer", "--request"]);
            cmd.arg(&request).arg("--out").arg(&spec)
        };
        bench.set_up("the layer's spec", layer())?;
        let tars = write_tars(bench, &spec, &directory)?;
        let n_bytes: u64 = tars
            .iter()
            .map(|tar| Ok(fs_err::metadata(tar)?.len()))
            .sum::<Result<u64>>()?;
        let list = directory.join("tars");
        let names = tars.iter().map(|tar| format!("{}\n", tar.display()));
        fs_err::write(&list, names.collect::<String>())?;
        for _ in 0..bench.wishes.n_runs {
            let mut ours = meter.run(layer())?.run;
            ours.moved_bytes = Some(n_bytes);
            recorder.add(What::ours(what, "comfy-image"), ours);
            let openssl = shell.cmd("xargs").arg("-a").arg(&list);
            let openssl = openssl.args(["-P", &jobs, "-n", "1", "openssl", "dgst", "-sha256"]);
            let mut peer = meter.run(openssl)?.run;
            peer.moved_bytes = Some(n_bytes);
            recorder.add(What::peer(what, "openssl dgst"), peer);
        }
        bench.scratch.remove(&directory)?;
    }
    Ok(())
}

/// The very bytes of the layer, as files.
fn write_tars(bench: &Bench<'_>, spec: &Path, directory: &Path) -> Result<Vec<PathBuf>> {
    let spec = LayerSpec::read(spec, None).map_err(from_image)?;
    let mut tars = Vec::new();
    for (index, blob) in spec.blobs.iter().enumerate() {
        bench.ctx.check_interrupted()?;
        let path = directory.join(format!("{index}.tar"));
        let mut file = fs_err::File::create(&path)?;
        let plan = Plan::open(&spec.name, &spec.blobs, None).map_err(from_image)?;
        plan.write_blob(index, blob, &mut file, &|_| ())
            .map_err(from_image)?;
        tars.push(path);
    }
    Ok(tars)
}

/// Packages of equal size in files of equal size, and the request for a layer of them.
pub(super) fn write_packages(
    directory: &Path,
    layer: &str,
    n_packages: usize,
    package_bytes: usize,
    file_bytes: usize,
) -> Result<PathBuf> {
    let mut trees = Vec::new();
    let mut random = Random(1);
    let mut content = vec![0; file_bytes];
    for number in 0..n_packages {
        let name = format!("package-{number:05}");
        let tree = directory.join(&name);
        let package = tree.join(format!("root/usr/lib/python3.14t/site-packages/{name}"));
        fs_err::create_dir_all(&package)?;
        for index in 0..package_bytes.div_ceil(file_bytes) {
            random.fill(&mut content);
            fs_err::write(package.join(format!("{index:04}.py")), &content)?;
        }
        trees.push(TreeRef {
            package: format!("{name} 1.0"),
            path: tree,
            contains: Vec::new(),
            only: Vec::new(),
        });
    }
    let mut request: LayerRequest = serde_json::from_str(synthetic::LAYER_REQUEST)?;
    request.name = layer.parse()?;
    request.trees = trees;
    let file = directory.join("request.json");
    fs_err::write(&file, serde_json::to_vec(&request)?)?;
    Ok(file)
}

/// Bytes that do not repeat soon: xorshift64, Marsaglia 2003.
struct Random(u64);

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let n_bytes = chunk.len();
            chunk.copy_from_slice(&self.0.to_le_bytes()[..n_bytes]);
        }
    }
}
