//! The command line as types; each doc comment is the help text.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use comfy_image::compression::Compression;
use factory_model::cuda::Wanted;
use factory_model::layer;
use factory_verify::engine::EngineKind;

/// Builds the ComfyUI image with Nix, layer by layer.
///
/// Reads `package-lists/` and its locks, brings every source into the Nix store,
/// builds the layers of `layers/`, and streams the image to a container engine.
/// A fresh clone needs one command: `cargo xtask build-final`.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
#[command(
    after_help = "Exit status: 0 done; 1 built or checked and not right; 2 bad usage or input file;\n3 environment (network, disk, permission, missing program); 70 bug in xtask."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Print errors and results only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Print details: programs started, builder output
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Print plain lines instead of live progress
    #[arg(long, global = true)]
    pub plain: bool,
    /// Print the result as one JSON document on stdout; `docs/schemas/` describes them
    #[arg(long, global = true)]
    pub json: bool,
    /// Use no network; what is missing is an error
    #[arg(long, global = true)]
    pub offline: bool,
}

/// Which variant a command works on.
#[derive(Debug, Clone, Args)]
pub struct VariantArgs {
    /// Variant of `package-lists/variants.toml` [default: the file's `default`]
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Kind of machine that the image is for, of `package-lists/systems.toml` [default: this one's]
    #[arg(long, value_name = "aarch64-linux")]
    pub system: Option<String>,
    /// Leave out everything from git; the image's tag and labels say so, and it does at start
    #[arg(long, value_name = "git")]
    pub omit: Option<Omit>,
    /// Compile CUDA code for these architectures instead of the variant's, `native` for those of
    /// this machine's GPUs; the tag says which
    #[arg(long = "cuda-arch", value_name = "9.0,12.0+PTX", value_delimiter = ',')]
    pub cuda_architectures: Vec<Wanted>,
}

/// What an image can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Omit {
    /// Everything from git.
    Git,
}

/// A container engine by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// `docker`.
    Docker,
    /// `podman`.
    Podman,
}

impl From<EngineName> for EngineKind {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Docker => Self::Docker,
            EngineName::Podman => Self::Podman,
        }
    }
}

/// How an image gets into an engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// By a pull where the engine reaches the loopback, else as an archive.
    #[default]
    Auto,
    /// The engine pulls what it lacks.
    Pull,
    /// The engine gets the whole archive.
    Archive,
}

/// One subcommand each; the arguments live here, the work in `cmd/`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the layers up to LAYER
    ///
    /// Evaluates the flake, brings missing sources into the store, and builds what is
    /// missing. What was built stays built, also when the run is interrupted; a second
    /// run waits for the first. Writes to the Nix store only.
    ///
    /// Example: `cargo xtask build 05 --variant slim`
    #[command(verbatim_doc_comment)]
    Build(BuildArgs),
    /// Build all twelve layers and load the image
    ///
    /// As `build 12`, and then `load` into the first container engine that answers.
    /// Without an engine, prints the commands that use the image elsewhere.
    ///
    /// Example: `cargo xtask build-final`
    #[command(verbatim_doc_comment)]
    BuildFinal(BuildFinalArgs),
    /// Bring the sources of a build into the Nix store
    ///
    /// Reads what each missing fixed-output derivation says of its origins, and downloads
    /// through the user's own mirrors and proxies. Every file is checked against its hash
    /// before it enters the store. Afterwards `nix build` works offline.
    ///
    /// Example: `cargo xtask fetch layer04`
    #[command(verbatim_doc_comment)]
    Fetch(FetchArgs),
    /// Load the image into docker or podman
    ///
    /// Builds what is missing, serves the image from the store on the loopback, and lets the
    /// engine pull the blobs that it lacks; nothing is written besides. An engine that cannot
    /// reach the loopback gets the whole archive as a stream. An engine that has this very
    /// image is left as it is.
    ///
    /// Example: `cargo xtask load --engine podman`
    #[command(verbatim_doc_comment)]
    Load(LoadArgs),
    /// Run ComfyUI from the image
    ///
    /// Builds and loads what is missing, and starts a container that is reached from this
    /// machine only. Its log is followed; Ctrl-C stops it cleanly, and the exit status is
    /// ComfyUI's. `docs/running.md` has the rest.
    ///
    /// Example: `cargo xtask run --variant slim --models ~/models --cpu -- --preview-method none`
    #[command(verbatim_doc_comment)]
    Run(RunArgs),
    /// Push the image to a registry
    ///
    /// Builds what is missing, and streams each blob that the registry lacks from the store;
    /// no archive is written. Digests are known beforehand, so that an image that is there
    /// costs one request. Logins are those of `docker login` and `podman login`.
    ///
    /// What the image consists of (`sbom`) and where it comes from is attached to it, signed if
    /// there is a key; what is attached already stays. `inspect` shows and checks it.
    ///
    /// Example: `cargo xtask push --to ghcr.io/OWNER/comfyui-boot`
    #[command(verbatim_doc_comment)]
    Push(PushArgs),
    /// Serve images to other machines
    ///
    /// Builds what is missing, and is a read-only registry of the OCI distribution
    /// specification until Ctrl-C: other machines pull from it what they lack, straight from
    /// the store. Nothing but the named images can be read. A range into the middle of a blob
    /// is read from the blob's start.
    ///
    /// What a push would attach is served, too, signed if there is a key.
    ///
    /// Example: `cargo xtask serve --listen 0.0.0.0:5000 --tls cert.pem key.pem --auth users`
    #[command(verbatim_doc_comment)]
    Serve(ServeArgs),
    /// Write the image to stdout as an archive
    ///
    /// Builds what is missing, and writes a docker or OCI archive to stdout, or an OCI
    /// layout to a directory, in which blobs that are there already are kept.
    ///
    /// Example: `cargo xtask stream | docker load`
    #[command(verbatim_doc_comment)]
    Stream(StreamArgs),
    /// Show an image of a registry, and check what is attached to it
    ///
    /// Reads its manifest, its configuration and the documents that a push attached: what is in
    /// it, where it comes from and what was checked. Every digest and size is checked, and that
    /// each document is about this image; with the other half of the key that signed, the
    /// signatures, too. Blobs of layers are asked for, and not read.
    ///
    /// Exit status 1 when something does not match, or when there is a key and no signature of
    /// it.
    ///
    /// Example: `cargo xtask inspect ghcr.io/OWNER/comfyui-boot:TAG --key sign.pub`
    #[command(verbatim_doc_comment)]
    Inspect(InspectArgs),
    /// Write a list of everything in the image, with hashes and licences
    ///
    /// Reads the locks, and the metadata of built packages for their licences; builds nothing.
    /// The list is a document of SPDX 2.3 or CycloneDX 1.6, and the same bytes for the same
    /// locks. A push attaches both; `docs/origin.md` says what can be done with them.
    ///
    /// Example: `cargo xtask sbom --variant slim --format cyclonedx --output slim.cdx.json`
    #[command(verbatim_doc_comment)]
    Sbom(SbomArgs),
    /// Resolve the lists again and write the locks
    ///
    /// Reads `package-lists/`, and writes `package-lists/locks/`. Versions that are locked
    /// stay, unless a list changed or an upgrade is asked for.
    ///
    /// Example: `cargo xtask update-locks --upgrade-package torch`
    #[command(verbatim_doc_comment)]
    UpdateLocks(UpdateLocksArgs),
    /// Fetch git trees and record that their hashes are right
    ///
    /// Brings each tree of `package-lists/locks/sources.toml` from its repository, as a build
    /// does and whatever the store has, hashes it, and compares. Writes what was right to
    /// `package-lists/tree-hashes.toml` and `docs/sources.md`, with the day. A tree that cannot
    /// be fetched keeps what is recorded of it.
    ///
    /// Exit status 1 when a hash is another one, 3 when a tree cannot be fetched.
    ///
    /// Example: `cargo xtask hash-sources sam-2`
    #[command(verbatim_doc_comment)]
    HashSources(HashSourcesArgs),
    /// Show which layers are built and what a build would do
    ///
    /// Reads the flake and the store, and changes neither. Times are those measured when
    /// the same package was last built here.
    ///
    /// Example: `cargo xtask status --variant slim`
    #[command(verbatim_doc_comment)]
    Status(StatusArgs),
    /// Run the checks of the layers inside the image
    ///
    /// Reads `layers/NN-name/checks/*.toml` of all layers up to LAYER, loads the image if
    /// the engine has none of its name, and runs each check in a container without a
    /// network. An image of that name which is not the one just built is an error. The
    /// check `imports` imports every distribution of the lock in a process of its own.
    ///
    /// Checks that need a GPU are skipped where there is none (exit status 0), unless
    /// `--gpu require` (exit status 3). With `--runtime host` the same checks run by the
    /// machine's own interpreter, and what it lacks is absent, not passed. Exit status 1
    /// when a check fails, crashes or does not end in time.
    ///
    /// Example: `cargo xtask verify 04 --check torch-gil-off`
    #[command(verbatim_doc_comment)]
    Verify(VerifyArgs),
    /// Say what a build would change, before anything is built
    ///
    /// Compares the checkout as it is with an image or with a revision: packages and settings
    /// that change, blobs that change and for which package, what is to be fetched and built
    /// for it, and the bytes that a push then sends and others pull. Evaluates the flake, and
    /// builds nothing.
    ///
    /// Without `--against`: what was built last here, or HEAD where nothing was. A revision is
    /// evaluated in a clone of its own, with its own lists and locks. Of a registry the
    /// manifest and the configuration are read.
    ///
    /// Blobs of layers that are built are exact. Which blob a package goes to depends on its
    /// size, which is estimated before it is built: from its last version, or from the size of
    /// its file. A package of the same version that is built anew may give the same bytes: such
    /// blobs "may" differ. Times are those measured when a package was last built here.
    ///
    /// Example: `cargo xtask plan --variant slim --against HEAD~1`
    #[command(verbatim_doc_comment)]
    Plan(PlanArgs),
    /// Say what differs between two images
    ///
    /// Compares settings, packages and blobs, and lists the files of the blobs that differ.
    /// A and B are each an image in a registry (`HOST/NAME:TAG`, `HOST/NAME@DIGEST`), the
    /// directory of an OCI layout (`DIR`, `DIR:TAG`), a file of the store that describes an
    /// image, or what was built here last: `VARIANT`, `VARIANT/LAYER` or `LAYER`.
    ///
    /// Of a registry only the manifest and the configuration are read, unless `--files` asks
    /// for the blobs that differ; they are unpacked as they come, and nothing is kept. Which
    /// packages a blob holds is recorded in manifests written by this program, and known of
    /// blobs that were built here. Changes nothing.
    ///
    /// Exit status 0 whether they differ or not; 1 if they do, with `--exit-code`.
    ///
    /// Example: `cargo xtask diff ghcr.io/me/comfyui-boot:latest slim`
    #[command(verbatim_doc_comment)]
    Diff(DiffArgs),
    /// Draw an image and its build as a page for the browser
    ///
    /// One HTML file that asks for nothing outside itself: a treemap of layers, packages and
    /// files; the timeline of the last build of it, with what was reused, what waited and the
    /// chain of builds that determined the end; what changed since another image; what `verify`
    /// found; measured cases of `bench/` beside those of others. Each chart has a table.
    ///
    /// IMAGE and `--against` are what `diff` takes. Only images whose trees are in the store
    /// are drawn down to their files; others down to their blobs. Builds nothing. The path of
    /// the file is printed; with `--json` the data are, and a file is written only where
    /// `--output` names one.
    ///
    /// Example: `cargo xtask report slim --against ghcr.io/OWNER/comfyui-boot:TAG --open`
    #[command(verbatim_doc_comment)]
    Report(ReportArgs),
    /// Keep what took long to build in a directory
    ///
    /// For machines that start bare, as those of a CI service: `save` copies the trees whose
    /// build took longer than carrying them does, with the measured times; `restore` brings
    /// them into the store. Sources are not among them: `fetch` is faster.
    ///
    /// What is saved is signed, and `restore` takes nothing that is signed with another key,
    /// not signed, or altered since (exit status 1).
    ///
    /// Example: `cargo xtask carry save carried 10 --variant megapak`
    #[command(verbatim_doc_comment)]
    Carry(CarryArgs),
    /// Measure this project and its peers, one after the other
    ///
    /// Each CASE is run on this machine by us and by those it is compared with, in turn, and
    /// every run is written to `bench/results/CASE.json`, with the machine and the revision.
    /// Containers, stores and checkouts are of its own and go afterwards; what it needs and how
    /// long it takes is in `--list`. A peer that is absent is an error, and no result.
    ///
    /// With `--render` nothing is measured: the tables of README.md and `docs/` are written
    /// from the data. `docs/benchmarks.md` says what each case is.
    ///
    /// Example: `cargo xtask bench stream no-op --runs 5`
    #[command(verbatim_doc_comment)]
    Bench(BenchArgs),
    /// Say what this machine lacks and how to get it
    Doctor,
    /// Remove what earlier runs left behind
    ///
    /// Lists unfinished downloads, indexes, evaluated plans and the roots that protect
    /// built images, with their sizes; removes them with `--yes`.
    ///
    /// Example: `cargo xtask clean --store --yes`
    #[command(verbatim_doc_comment)]
    Clean(CleanArgs),
    /// Print a completion script for a shell
    ///
    /// Example: `cargo xtask completions bash > ~/.local/share/bash-completion/completions/xtask`
    #[command(verbatim_doc_comment)]
    Completions(CompletionsArgs),
}

/// Arguments of `build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// `layer05`, `05`, `5`, `05-pak3` or `last`
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Print what would be fetched and built, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// How to build
    #[command(flatten)]
    pub build: HowToBuild,
    /// What to do when sources are out of reach
    #[command(flatten)]
    pub instead: InsteadArgs,
}

/// What to do when sources of the variant are out of reach. At a terminal there is a question.
#[derive(Debug, Clone, Default, Args)]
pub struct InsteadArgs {
    /// If sources are out of reach, build the first variant that can be built, without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// How to build.
#[derive(Debug, Clone, Default, Args)]
pub struct HowToBuild {
    /// Builds side by side [default: one for each processor]
    #[arg(long, short, value_name = "N", value_parser = parse_jobs)]
    pub jobs: Option<usize>,
    /// Build again in an empty store and compare every layer
    #[arg(long, conflicts_with = "dry_run")]
    pub check_reproducible: bool,
}

fn parse_jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse::<usize>().ok().filter(|jobs| *jobs > 0);
    jobs.ok_or_else(|| "not a number from 1".to_owned())
}

/// Arguments of `build-final`.
#[derive(Debug, Args)]
pub struct BuildFinalArgs {
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Print what would be fetched and built, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Build only; do not load the image into a container engine
    #[arg(long)]
    pub no_load: bool,
    /// Where it is loaded, and how
    #[command(flatten)]
    pub into: LoadInto,
    /// How to build
    #[command(flatten)]
    pub build: HowToBuild,
    /// What to do when sources are out of reach
    #[command(flatten)]
    pub instead: InsteadArgs,
}

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Fetch what the layers up to this one need
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Also fetch what `nix flake check` builds
    #[arg(long)]
    pub checks: bool,
    /// Print what would be fetched, and stop
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Load the image up to this layer
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Where it is loaded, and how
    #[command(flatten)]
    pub into: LoadInto,
    /// What to do when sources are out of reach
    #[command(flatten)]
    pub instead: InsteadArgs,
}

/// The engine that an image is loaded into, and the way there.
#[derive(Debug, Args)]
pub struct LoadInto {
    /// Container engine to load into [default: the first that answers]
    #[arg(long, value_name = "docker|podman", hide_possible_values = true)]
    pub engine: Option<EngineName>,
    /// Let the engine pull what it lacks, give it the whole archive, or find out which it can
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "auto|pull|archive",
        hide_possible_values = true
    )]
    pub via: Via,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Run this image of the engine's instead of building one
    #[arg(long, value_name = "REFERENCE")]
    pub image: Option<String>,
    /// Container engine to run it with [default: the first that answers]
    #[arg(long, value_name = "docker|podman", hide_possible_values = true)]
    pub engine: Option<EngineName>,
    /// Directory that becomes the container's `/root`
    #[arg(long, value_name = "DIR", default_value = "storage")]
    pub storage: PathBuf,
    /// Directory with models
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// Port on this machine
    #[arg(long, default_value_t = 8188)]
    pub port: u16,
    /// Compute on the processor, without a GPU
    #[arg(long)]
    pub cpu: bool,
    /// One more option for the engine's `run`, as `--engine-option=--shm-size=8g`; repeatable
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub engine_option: Vec<String>,
    /// Print the engine's command line, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What to do when sources are out of reach
    #[command(flatten)]
    pub instead: InsteadArgs,
    /// Arguments for ComfyUI
    #[arg(last = true)]
    pub arguments: Vec<String>,
}

/// Arguments of `push`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// Push the image up to this layer, or `all` images, each under its own tag
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Repository to push to [default tag: the image's own]
    #[arg(long, value_name = "HOST/NAME[:TAG]")]
    pub to: String,
    /// What blobs are compressed with: `gzip` for engines that do not read zstd, such as
    /// docker before 23
    #[arg(long, value_enum, default_value = "zstd")]
    pub compression: PushCompression,
    /// Take blobs from this repository of the same registry instead of sending them; those that
    /// were pushed to from here are known
    #[arg(long, value_name = "HOST/NAME")]
    pub mount_from: Vec<String>,
    /// Attach this JSON document, the report of `verify --report FILE`, to the image
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Attach the report to what the tag or digest of `--to` is, and build and push nothing
    #[arg(long, requires = "report")]
    pub report_only: bool,
    /// Who builds, for the provenance: a URI, such as that of a workflow
    #[arg(
        long,
        value_name = "URI",
        env = "XTASK_BUILDER",
        hide_env_values = true
    )]
    pub builder: Option<String>,
    /// What is attached
    #[command(flatten)]
    pub origin: OriginArgs,
}

/// What the blobs of a push are compressed with. Level and encoder are fixed, and with them the
/// digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PushCompression {
    /// Zstandard, level 3
    Zstd,
    /// gzip, level 6
    Gzip,
    /// Nothing: a blob is its tar, and its digest the diff_id
    None,
}

impl PushCompression {
    /// The encoding, where there is one.
    pub(crate) fn encoder(self) -> Option<Compression> {
        match self {
            Self::Zstd => Some(Compression::Zstd),
            Self::Gzip => Some(Compression::Gzip),
            Self::None => None,
        }
    }
}

/// Arguments of `carry`.
#[derive(Debug, Args)]
pub struct CarryArgs {
    /// Which way.
    #[command(subcommand)]
    pub command: CarryCommand,
}

/// The ways of `carry`.
#[derive(Debug, Subcommand)]
pub enum CarryCommand {
    /// Copy slow builds from the store to the directory
    Save(CarrySaveArgs),
    /// Copy what the directory has into the store
    Restore(CarryTarget),
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Plan the image up to this layer
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Image in a registry, revision of git, or what else `diff` takes [default: what was
    /// built last here, or HEAD]
    #[arg(long, value_name = "HOST/NAME:TAG|REVISION")]
    pub against: Option<String>,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The old image
    #[arg(value_name = "A")]
    pub old: String,
    /// The new image
    #[arg(value_name = "B")]
    pub new: String,
    /// List every file that differs, and download blobs for it [default: the largest 20, if
    /// both images are on this machine and the blobs that differ have less than 4 GB]
    #[arg(long)]
    pub files: bool,
    /// Exit with 1 if the images differ
    #[arg(long)]
    pub exit_code: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The image [default: what was built here last]
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,
    /// Draw what changed since this image
    #[arg(long, value_name = "IMAGE")]
    pub against: Option<String>,
    /// Report of `verify` [default: the last one about this image, or about its layer]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// File to write, or the directory for it [default: NAME-TAG.report.html, here]
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Open it in the browser
    #[arg(long)]
    pub open: bool,
}

/// Where `carry` keeps things.
#[derive(Debug, Args)]
pub struct CarryTarget {
    /// The directory, a Nix binary cache
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Secret key that signs what is saved and checks what is restored; without it a key of
    /// your own, made at the first use
    #[arg(long, value_name = "FILE", env = "XTASK_CARRY_KEY")]
    pub key: Option<PathBuf>,
}

/// Arguments of `carry save`.
#[derive(Debug, Args)]
pub struct CarrySaveArgs {
    /// The directory.
    #[command(flatten)]
    pub target: CarryTarget,
    /// Save what the layers up to this one need
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Serve the images up to these layers, or `all` [default: `last`]
    #[arg(value_name = "LAYER")]
    pub layers: Vec<String>,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    pub listen: SocketAddr,
    /// Speak TLS with this certificate chain and its key, PEM files
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    pub tls: Vec<PathBuf>,
    /// Ask for a login of this file, as `htpasswd -B` writes it
    #[arg(long, value_name = "FILE")]
    pub auth: Option<PathBuf>,
    /// What is attached
    #[command(flatten)]
    pub origin: OriginArgs,
}

/// What is attached to an image.
#[derive(Debug, Args)]
pub struct OriginArgs {
    /// Sign the image and all that is attached with this key of ECDSA over P-256, PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "XTASK_SIGN_KEY",
        hide_env_values = true
    )]
    pub sign_key: Option<PathBuf>,
    /// Attach neither lists of everything in the image nor its provenance
    #[arg(long)]
    pub bare: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The image
    #[arg(value_name = "HOST/NAME:TAG")]
    pub image: String,
    /// Check signatures with this public key of ECDSA over P-256, PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// Arguments of `sbom`.
#[derive(Debug, Args)]
pub struct SbomArgs {
    /// List the image up to this layer
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// The form of the list
    #[arg(long, value_enum, default_value_t)]
    pub format: SbomFormat,
    /// Write it to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The form of a list of everything in an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SbomFormat {
    /// SPDX 2.3, JSON
    #[default]
    Spdx,
    /// CycloneDX 1.6, JSON
    Cyclonedx,
}

/// Arguments of `stream`.
#[derive(Debug, Args)]
pub struct StreamArgs {
    /// Stream the image up to this layer
    #[arg(default_value = layer::LAST)]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Archive format
    #[arg(long, value_enum, default_value_t)]
    pub format: ArchiveFormat,
    /// Write an OCI layout directory instead of stdout
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    pub oci_layout: Option<PathBuf>,
}

/// The form of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ArchiveFormat {
    /// What `docker load` and `podman load` read.
    #[default]
    DockerArchive,
    /// An OCI layout in a tar archive.
    OciArchive,
}

/// Arguments of `update-locks`.
#[derive(Debug, Args)]
pub struct UpdateLocksArgs {
    /// System to lock for, of `package-lists/systems.toml`; repeatable [default: all]
    #[arg(long = "system", value_name = "NAME")]
    pub systems: Vec<String>,
    /// Variant to lock; repeatable [default: all]
    #[arg(long = "variant", value_name = "NAME")]
    pub variants: Vec<String>,
    /// Say whether lists and locks agree, without network; write nothing
    #[arg(long)]
    pub check: bool,
    /// Print the difference and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take the newest version of everything
    #[arg(long)]
    pub upgrade: bool,
    /// Take the newest version of this package; repeatable
    #[arg(long, value_name = "NAME")]
    pub upgrade_package: Vec<String>,
    /// Accept the Release file of this suite although it is past its Valid-Until; repeatable
    #[arg(long, value_name = "SUITE")]
    pub allow_expired: Vec<String>,
}

/// Arguments of `hash-sources`.
#[derive(Debug, Args)]
pub struct HashSourcesArgs {
    /// Trees, by their names in `sources.toml` [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Say whether the record and its page belong to the locks, without network; write nothing
    #[arg(long, conflicts_with_all = ["names", "dry_run"])]
    pub check: bool,
    /// Fetch, hash and compare; write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Run the checks of the layers up to this one
    #[arg(default_value = "all")]
    pub layer: String,
    /// The variant
    #[command(flatten)]
    pub variant: VariantArgs,
    /// Run this check only; repeatable
    #[arg(long = "check", value_name = "NAME")]
    pub checks: Vec<String>,
    /// Print the checks and stop
    #[arg(long)]
    pub list: bool,
    /// Where to run; `host` where no containers start [default: the first engine that answers]
    #[arg(long, value_name = "docker|podman|host", hide_possible_values = true)]
    pub runtime: Option<Runtime>,
    /// Check this image of the engine, and do not ask whether it is the one just built
    #[arg(long, value_name = "NAME")]
    pub image: Option<String>,
    /// Run checks that need a GPU where there is one, only where there is one, or never
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "auto|require|off",
        hide_possible_values = true
    )]
    pub gpu: GpuMode,
    /// ComfyUI checkout for a variant that clones ComfyUI at its first start
    #[arg(long, value_name = "DIR")]
    pub comfyui: Option<PathBuf>,
    /// Write the report as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Where checks run, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// Containers of docker.
    Docker,
    /// Containers of podman.
    Podman,
    /// This machine itself.
    Host,
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Host => "host",
        })
    }
}

/// When checks that need a GPU are run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum GpuMode {
    /// Where there is one.
    #[default]
    Auto,
    /// A machine without one is an error.
    Require,
    /// Never.
    Off,
}

impl From<GpuMode> for factory_verify::GpuMode {
    fn from(mode: GpuMode) -> Self {
        match mode {
            GpuMode::Auto => Self::Auto,
            GpuMode::Require => Self::Require,
            GpuMode::Off => Self::Off,
        }
    }
}

/// Arguments of `clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Remove; without it, only say what would be removed
    #[arg(long)]
    pub yes: bool,
    /// Also remove store paths that no build result needs
    #[arg(long)]
    pub store: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Cases to measure; `--list` names them [default: all]
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
    /// Print which cases there are, what each needs and how long it takes, and stop
    #[arg(long, conflicts_with_all = ["cases", "render"])]
    pub list: bool,
    /// Write the tables of README.md and `docs/` from the data, and measure nothing
    #[arg(long, conflicts_with = "cases")]
    pub render: bool,
    /// With `--render`: write nothing; exit status 1 when a table is not that of the data
    #[arg(long, requires = "render")]
    pub check: bool,
    /// Runs of each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Variant of `package-lists/variants.toml` [default: slim]
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Where results are written [default: bench/results]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Make containers, stores and checkouts below this directory [default: the data directory]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// ComfyUI checkout for `comfyui-start`
    #[arg(long, value_name = "DIR")]
    pub comfyui: Option<PathBuf>,
    /// Measure this build of `crates/comfy-image` [default: the store's]
    #[arg(long, value_name = "FILE")]
    pub image_tool: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
