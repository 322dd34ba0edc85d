//! Measures the tar and SHA-256 stream against SHA-256 of the same files, which are in the page cache.
//!
//! `cargo bench -p comfy-image`; `COMFY_IMAGE_BENCH_MB` sets the size, 1024 by default.

use std::error::Error;
use std::fs;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use comfy_image::Partition;
use comfy_image::layer::{LayerRequest, TreeRef};
use comfy_image::spec::build_spec;
use comfy_image::stream::Plan;
use sha2::{Digest as _, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let total_bytes = match std::env::var("COMFY_IMAGE_BENCH_MB") {
        Ok(megabytes) => megabytes.parse::<usize>()? << 20,
        Err(_) => 1 << 30,
    };
    let mut out = io::stdout();
    writeln!(
        out,
        "{:>28}  {:>9}  {:>9}  {:>9}  {:>9}",
        "", "sha256", "layer", "stream", "ratios"
    )?;
    for (title, file_bytes) in [
        ("files of 256 MiB", 256 << 20),
        ("files of 1 MiB", 1 << 20),
        ("files of 20 KiB", 20 << 10),
    ] {
        let directory = tempfile::tempdir()?;
        let files = write_tree(&directory.path().join("root"), total_bytes, file_bytes)?;
        measure(&mut out, title, directory.path(), &files, total_bytes)?;
    }
    Ok(())
}

fn measure(
    out: &mut impl Write,
    title: &str,
    tree: &Path,
    files: &[PathBuf],
    total_bytes: usize,
) -> Result<(), Box<dyn Error>> {
    let mut rates = Vec::new();
    // Takes the best of three, because the machine has other work.
    let mut best = |work: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| {
        let mut best_seconds = f64::INFINITY;
        for _ in 0..3 {
            let start = Instant::now();
            work()?;
            best_seconds = best_seconds.min(start.elapsed().as_secs_f64());
        }
        rates.push(total_bytes as f64 / 1e6 / best_seconds);
        Ok::<_, Box<dyn Error>>(())
    };
    best(&mut || {
        files.iter().try_for_each(|file| hash(file))?;
        Ok(())
    })?;
    let request = LayerRequest {
        schema_version: Default::default(),
        name: "bench".parse()?,
        trees: vec![TreeRef {
            package: "bench".to_owned(),
            path: tree.to_owned(),
            contains: Vec::new(),
            only: Vec::new(),
        }],
        partition: Partition {
            max_blobs: NonZeroUsize::MIN,
            alone_from_bytes: u64::MAX,
        },
    };
    let mut spec = None;
    best(&mut || {
        spec = Some(build_spec(&request, NonZeroUsize::MIN, None)?);
        Ok(())
    })?;
    let spec = spec.ok_or("no spec")?;
    let mut sink = File::options().write(true).open("/dev/null")?;
    best(&mut || {
        let plan = Plan::open(&spec.name, &spec.blobs, None)?;
        Ok(plan.write_blob(0, &spec.blobs[0], &mut sink, &|_| ())?)
    })?;
    writeln!(
        out,
        "{title:>28}  {:>4.0} MB/s  {:>4.0} MB/s  {:>4.0} MB/s  {:.2} {:.2}",
        rates[0],
        rates[1],
        rates[2],
        rates[1] / rates[0],
        rates[2] / rates[0]
    )?;
    Ok(())
}

/// Hashes a file as `sha256sum` does.
fn hash(file: &Path) -> io::Result<()> {
    let mut hasher = Sha256::new();
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let n_bytes = file.read(&mut buffer)?;
        if n_bytes == 0 {
            std::hint::black_box(hasher.finalize());
            return Ok(());
        }
        hasher.update(&buffer[..n_bytes]);
    }
}

fn write_tree(root: &Path, total_bytes: usize, file_bytes: usize) -> io::Result<Vec<PathBuf>> {
    let bytes = content(file_bytes);
    let mut files = Vec::new();
    for index in 0..total_bytes.div_ceil(file_bytes) {
        let directory = root.join(format!("{:03}", index / 500));
        fs::create_dir_all(&directory)?;
        let n_bytes = file_bytes.min(total_bytes - index * file_bytes);
        files.push(directory.join(format!("{index:06}")));
        fs::write(&files[index], &bytes[..n_bytes])?;
    }
    Ok(files)
}

/// Returns bytes that do not repeat soon.
fn content(n_bytes: usize) -> Vec<u8> {
    let mut state: u64 = 1;
    let mut bytes = Vec::with_capacity(n_bytes + 8);
    while bytes.len() < n_bytes {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        bytes.extend_from_slice(&(state >> 8).to_le_bytes());
    }
    bytes.truncate(n_bytes);
    bytes
}
