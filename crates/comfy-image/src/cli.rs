//! The command line: arguments, status lines on stderr, results on stdout.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::num::NonZeroUsize;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "encode")]
use crate::compression::Compression;
#[cfg(feature = "encode")]
use crate::digest::Digest;
use crate::error::Error;
use crate::files::{json_text, resolve, write_whole};
use crate::image::{Image, ImageRequest, assemble};
#[cfg(feature = "encode")]
use crate::layer::LayerSpec;
use crate::layer::{LayerRequest, count_packages};
use crate::layout::{self, WriteOptions};
use crate::name::Reference;
use crate::parallel;
#[cfg(feature = "encode")]
use crate::recipe;
use crate::schema::SchemaVersion;
use crate::spec::build_spec;
use crate::stream::{write_docker_archive, write_oci_archive};

/// Write image layers as reproducible tar streams
#[derive(Debug, Parser)]
#[command(name = "comfy-image", version, after_help = EXIT_TABLE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Find store paths below this directory
    #[arg(long, global = true, value_name = "DIR")]
    store_root: Option<PathBuf>,
    /// Print errors only
    #[arg(long, short, global = true)]
    quiet: bool,
}

const EXIT_TABLE: &str = "\
Exit status:
  0   done
  1   checked, and not right: conflicts, wrong digests
  2   usage, or a bad input file
  3   environment: disk, permission; a closed pipe (without a message)
  70  a bug in this program";

#[derive(Debug, Subcommand)]
enum Command {
    Layer(LayerArgs),
    Image(ImageArgs),
    Stream(StreamArgs),
    OciLayout(OciLayoutArgs),
    Check(CheckArgs),
    Inspect(InspectArgs),
    #[cfg(feature = "encode")]
    Compress(CompressArgs),
    #[cfg(feature = "encode")]
    Encode(EncodeArgs),
}

/// Compute what the blobs of a layer are for a registry
///
/// Reads a layer spec and the package trees it names.
/// Writes digest and size of each blob's encoded form; the bytes are not kept.
///
/// Example: comfy-image compress --spec 05-pak3.json --compression zstd --out zstd.json
#[cfg(feature = "encode")]
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct CompressArgs {
    /// The layer spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// The encoding
    #[arg(long, value_enum)]
    compression: Compression,
    /// Where to write the description; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Encode on this many threads [default: the number of processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// Write one encoded blob to standard output
///
/// Reads a layer spec and the package trees it names.
/// Writes the bytes whose digest `compress` gave, and ends early if a tree is not what it was.
///
/// Example: comfy-image encode --spec 05-pak3.json --diff-id sha256:... --compression zstd
#[cfg(feature = "encode")]
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct EncodeArgs {
    /// The layer spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// The blob
    #[arg(long, value_name = "DIGEST")]
    diff_id: Digest,
    /// The encoding
    #[arg(long, value_enum)]
    compression: Compression,
    /// Encode on this many threads [default: the number of processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// Compute the spec of a layer
///
/// Reads a layer request and the package trees it names.
/// Writes the spec: each blob's digest, size and packages.
///
/// Example: comfy-image layer --request 05-pak3.json --out spec.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct LayerArgs {
    /// The layer request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Where to write the spec; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Hash this many blobs at a time [default: the number of processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// Compute the config and the manifest of an image
///
/// Reads an image request and the layer specs it names.
/// Writes the image description that the other commands read.
///
/// Example: comfy-image image --request image-request.json --out image.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct ImageArgs {
    /// The image request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Where to write the description; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Write an image archive to standard output
///
/// Reads an image description and the package trees it names.
/// Writes the archive, and ends it early if a tree is not what it was.
///
/// Example: comfy-image stream --image image.json | docker load
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct StreamArgs {
    /// The image description
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The archive's format
    #[arg(long, value_enum, default_value = "docker-archive")]
    format: Format,
    /// Name the image so, in place of its own name
    #[arg(long, value_name = "NAME:TAG")]
    reference: Option<Reference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For `docker load` and `podman load`
    DockerArchive,
    /// An OCI layout in a tar
    OciArchive,
}

/// Write an image as an OCI layout directory
///
/// Reads an image description and the package trees it names.
/// Writes the blobs that are missing or wrong, and then an index with this image only.
///
/// Example: comfy-image oci-layout --image image.json --out layout
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct OciLayoutArgs {
    /// The image description
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The layout directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name the image so, in place of its own name
    #[arg(long, value_name = "NAME:TAG")]
    reference: Option<Reference>,
}

/// Check every blob of an OCI layout directory
///
/// Reads the whole layout.
/// Writes one line that counts what is sound, or all faults on stderr.
///
/// Example: comfy-image check --layout layout
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct CheckArgs {
    /// The layout directory
    #[arg(long, value_name = "DIR")]
    layout: PathBuf,
}

/// Show the layers of an image
///
/// Reads an image description, and nothing else.
/// Writes a table, or with `--json` one document.
///
/// Example: comfy-image inspect --image image.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct InspectArgs {
    /// The image description
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Write one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs a command, renders its error on stderr, and returns the exit status.
pub fn run(cli: &Cli) -> u8 {
    match dispatch(cli) {
        Ok(()) => 0,
        Err(error) => {
            if !error.is_closed_pipe() {
                say(&error.render());
            }
            error.exit_code()
        }
    }
}

fn dispatch(cli: &Cli) -> Result<(), Error> {
    let store_root = cli.store_root.as_deref();
    match &cli.command {
        Command::Layer(args) => layer(args, store_root),
        Command::Image(args) => {
            let request = ImageRequest::read(&resolve(store_root, &args.request))?;
            let image = assemble(&request, store_root)?;
            write_result(
                &args.out,
                &json_text("image description", &args.out, &image)?,
            )
        }
        Command::Stream(args) => stream(args, store_root, cli.quiet),
        Command::OciLayout(args) => oci_layout(args, store_root, cli.quiet),
        Command::Check(args) => {
            let report = layout::check(&args.layout)?;
            print(&format!(
                "{}: {} image(s), {} blobs, {} bytes, all sound\n",
                args.layout.display(),
                report.n_images,
                report.n_blobs,
                report.size_bytes
            ))
        }
        #[cfg(feature = "encode")]
        Command::Compress(args) => {
            let spec = LayerSpec::read(&args.spec, store_root)?;
            let jobs = args.jobs.unwrap_or_else(parallel::processors);
            let encoder = std::env::current_exe().unwrap_or_default();
            let layer = recipe::describe(&spec, args.compression, jobs, encoder, store_root)?;
            let text = json_text("compressed layer", &args.out, &layer)?;
            write_result(&args.out, &text)
        }
        #[cfg(feature = "encode")]
        Command::Encode(args) => {
            if io::stdout().is_terminal() {
                return Err(Error::Terminal);
            }
            let spec = LayerSpec::read(&args.spec, store_root)?;
            let jobs = args.jobs.unwrap_or_else(parallel::processors);
            let (diff_id, compression) = (&args.diff_id, args.compression);
            let mut out = stdout()?;
            recipe::write(&spec, diff_id, compression, jobs, store_root, &mut out)
        }
        Command::Inspect(args) => {
            let image = Image::read(&args.image, store_root)?;
            print(&if args.json {
                summary_json(&image)?
            } else {
                table(&image)
            })
        }
    }
}

fn layer(args: &LayerArgs, store_root: Option<&Path>) -> Result<(), Error> {
    let request = LayerRequest::read(&resolve(store_root, &args.request))?;
    let jobs = args.jobs.unwrap_or_else(parallel::processors);
    let spec = build_spec(&request, jobs, store_root)?;
    write_result(&args.out, &json_text("layer spec", &args.out, &spec)?)
}

fn stream(args: &StreamArgs, store_root: Option<&Path>, is_quiet: bool) -> Result<(), Error> {
    if io::stdout().is_terminal() {
        return Err(Error::Terminal);
    }
    let image = Image::read(&args.image, store_root)?;
    let reference = args.reference.as_ref();
    let mut out = stdout()?;
    let name = reference.unwrap_or(&image.reference);
    let progress = Progress::new(format!("stream {name}"), image.size_bytes, is_quiet);
    let write = match args.format {
        Format::DockerArchive => write_docker_archive,
        Format::OciArchive => write_oci_archive,
    };
    write(&image, reference, store_root, &mut out, &|n_bytes| {
        progress.add(n_bytes)
    })?;
    progress.finish();
    Ok(())
}

/// Rust's own standard output would look for line ends in all of it.
fn stdout() -> Result<File, Error> {
    let owned = io::stdout().as_fd().try_clone_to_owned();
    owned
        .map(File::from)
        .map_err(|source| Error::Output { source })
}

fn oci_layout(
    args: &OciLayoutArgs,
    store_root: Option<&Path>,
    is_quiet: bool,
) -> Result<(), Error> {
    let image = Image::read(&args.image, store_root)?;
    let options = WriteOptions {
        reference: args.reference.as_ref(),
        store_root,
    };
    let title = format!("write {}", args.out.display());
    let progress = Progress::new(title, image.size_bytes, is_quiet);
    let report = layout::write_layout(&image, &args.out, &options, &|n_bytes| {
        progress.add(n_bytes)
    })?;
    progress.finish();
    if !is_quiet {
        let layout::WriteReport {
            n_written,
            n_kept,
            n_replaced,
        } = report;
        say(&format!(
            "blobs: {n_written} written, {n_kept} kept, {n_replaced} replaced\n"
        ));
    }
    print(&format!("{}\n", image.manifest.digest))
}

/// Reports on stderr: a running percentage on a terminal, else a line at the start and the end.
struct Progress {
    title: String,
    total_bytes: u64,
    done_bytes: Cell<u64>,
    shown_percent: Cell<u64>,
    is_quiet: bool,
    is_terminal: bool,
    start: Instant,
}

impl Progress {
    fn new(title: String, total_bytes: u64, is_quiet: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        if !is_quiet && !is_terminal {
            say(&format!("{title}: {}\n", megabytes(total_bytes)));
        }
        Self {
            title,
            total_bytes,
            done_bytes: Cell::new(0),
            shown_percent: Cell::new(u64::MAX),
            is_quiet,
            is_terminal,
            start: Instant::now(),
        }
    }

    fn add(&self, n_bytes: u64) {
        self.done_bytes.set(self.done_bytes.get() + n_bytes);
        if self.is_quiet || !self.is_terminal {
            return;
        }
        let percent = self.done_bytes.get() * 100 / self.total_bytes.max(1);
        if self.shown_percent.replace(percent) != percent {
            say(&format!("\r{}: {percent:3} %", self.title));
        }
    }

    fn finish(&self) {
        if !self.is_quiet {
            let back = if self.is_terminal { "\r" } else { "" };
            let seconds = self.start.elapsed().as_secs_f64();
            let done = megabytes(self.done_bytes.get());
            say(&format!("{back}{}: {done} in {seconds:.1} s\n", self.title));
        }
    }
}

fn table(image: &Image) -> String {
    let mut rows = vec![["layer", "packages", "files", "size", "diff_id"].map(str::to_owned)];
    for layer in &image.layers {
        let size = megabytes(layer.size_bytes);
        let mut row = [
            layer.name.to_string(),
            layer.n_packages.to_string(),
            layer.n_files.to_string(),
            size,
            "-".to_owned(),
        ];
        for (index, blob) in layer.blobs.iter().enumerate() {
            if layer.blobs.len() > 1 {
                let (n_trees, n_files) = (blob.trees.len().to_string(), blob.n_files.to_string());
                let part = format!("  {} of {}", index + 1, layer.blobs.len());
                if index == 0 {
                    rows.push(row.clone());
                }
                row = [
                    part,
                    n_trees,
                    n_files,
                    megabytes(blob.size_bytes),
                    String::new(),
                ];
            }
            row[4] = blob.diff_id.to_string();
            rows.push(row.clone());
        }
        if layer.blobs.is_empty() {
            rows.push(row);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let mut text = String::new();
    for [name, packages, files, size, digest] in &rows {
        let line = format!(
            "{name:<0$}  {packages:>1$}  {files:>2$}  {size:>3$}  {digest}",
            widths[0], widths[1], widths[2], widths[3]
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&format!(
        "\nreference  {}\nsize       {}\nimage ID   {}\nmanifest   {}\n",
        image.reference,
        megabytes(image.size_bytes),
        image.config.digest,
        image.manifest.digest
    ));
    text
}

fn summary_json(image: &Image) -> Result<String, Error> {
    let layers: Vec<serde_json::Value> = image
        .layers
        .iter()
        .map(|layer| {
            let blobs: Vec<_> = layer
                .blobs
                .iter()
                .map(|blob| serde_json::json!({"diff_id": blob.diff_id, "n_files": blob.n_files, "n_packages": count_packages(&blob.trees), "size_bytes": blob.size_bytes}))
                .collect();
            serde_json::json!({"blobs": blobs, "n_files": layer.n_files, "n_packages": layer.n_packages, "name": layer.name, "size_bytes": layer.size_bytes})
        })
        .collect();
    let summary = serde_json::json!({
        "schema_version": SchemaVersion,
        "image_id": image.config.digest,
        "layers": layers,
        "manifest_digest": image.manifest.digest,
        "reference": image.reference,
        "size_bytes": image.size_bytes,
    });
    json_text("summary", Path::new("-"), &summary)
}

fn megabytes(n_bytes: u64) -> String {
    format!("{:.1} MB", n_bytes as f64 / 1e6)
}

fn write_result(path: &Path, text: &str) -> Result<(), Error> {
    if path == Path::new("-") {
        print(text)
    } else {
        write_whole(path, text.as_bytes())
    }
}

fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|source| Error::Output { source })
}

/// Writes a status line; who closed stderr does not want any.
fn say(text: &str) {
    io::stderr().write_all(text.as_bytes()).unwrap_or(());
}
