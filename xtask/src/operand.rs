//! An image that a command compares: in a registry, in a layout, or in the store.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use comfy_image::image::Image;
use comfy_image::stream::Plan;
use comfy_image::{Digest, Reference};
use image_diff::{Blob, Encoding, Listing, Verified, View};
use serde::Deserialize;

use crate::cli::VariantArgs;
use crate::ctx::Ctx;
use crate::exit::from_image;
use crate::interruptible::Interruptible;
use crate::select;
use factory_base::error::{self, Failure};
use factory_nix::{Nix, roots};
use oci_registry::Registry;

/// An image, and the way to its bytes.
pub(crate) struct Operand<'c> {
    ctx: &'c Ctx,
    /// As people know it.
    pub(crate) name: String,
    pub(crate) view: View,
    bytes: Bytes<'c>,
}

enum Bytes<'c> {
    Registry(Box<Registry<'c>>),
    Layout(PathBuf),
    Store(Box<Stored>),
}

/// An image that the store has the trees of.
pub(crate) struct Stored {
    pub(crate) image: Image,
    pub(crate) store_root: Option<PathBuf>,
}

/// Where an image is, by the word for it.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Registry {
        repository: String,
        version: String,
    },
    Layout {
        directory: PathBuf,
        tag: Option<String>,
    },
    Description(PathBuf),
    Built {
        variant: Option<String>,
        layer: String,
    },
}

impl<'c> Operand<'c> {
    /// Finds the image that the user means.
    ///
    /// # Errors
    /// There is none, or it is nothing that can be compared.
    pub(crate) fn open(ctx: &'c Ctx, word: &str) -> Result<Self> {
        match place(word)? {
            Place::Registry {
                repository,
                version,
            } => Self::in_registry(ctx, word, &repository, &version),
            Place::Layout { directory, tag } => {
                Self::in_layout(ctx, word, directory, tag.as_deref())
            }
            Place::Description(file) => {
                let store_root = store_root(ctx, &file)?;
                let image = read(&file, store_root.as_deref()).map_err(|error| {
                    let hint = "archives are not read: unpack it with `skopeo copy docker-archive:FILE oci:DIR:TAG`, and name the directory";
                    Failure::new(error::Kind::BadInput, format!("`{word}` is no image: {error}")).hint(hint)
                })?;
                let stored = Stored { image, store_root };
                Self::in_store(ctx, word.to_owned(), stored)
            }
            Place::Built { variant, layer } => {
                let built = Built::find(ctx, variant.as_deref(), &layer)?;
                let stored = built.read(ctx)?.ok_or_else(|| built.missing(word))?;
                Self::in_store(ctx, format!("{built} (built here)"), stored)
            }
        }
    }

    /// An image whose trees the store has.
    pub(crate) fn in_store(ctx: &'c Ctx, name: String, stored: Stored) -> Result<Self> {
        let view = View::of_image(&stored.image).map_err(|error| unreadable(&name, &error))?;
        let bytes = Bytes::Store(Box::new(stored));
        Ok(Self {
            ctx,
            name,
            view,
            bytes,
        })
    }

    fn in_registry(ctx: &'c Ctx, word: &str, repository: &str, version: &str) -> Result<Self> {
        if ctx.offline {
            let text = format!("`{word}` is in a registry, which `--offline` forbids to ask");
            return Err(error::bad_input(text).into());
        }
        let registry = Registry::open(ctx, repository)?.for_reading();
        let manifest = registry.manifest_text(version)?.ok_or_else(|| {
            error::environment(format!("there is no image `{word}`"))
                .hint("is the tag right, and are you logged in?")
        })?;
        let bad = |error| unreadable(word, &error);
        let (config, _) = View::config_of(&manifest).map_err(bad)?;
        let config = registry.document(&config)?;
        let view = View::of_documents(&manifest, &config).map_err(bad)?;
        Ok(Self {
            ctx,
            name: word.to_owned(),
            view,
            bytes: Bytes::Registry(Box::new(registry)),
        })
    }

    fn in_layout(ctx: &'c Ctx, word: &str, directory: PathBuf, tag: Option<&str>) -> Result<Self> {
        let manifest = Index::read(&directory)?.manifest(word, tag)?;
        let manifest = document(&directory, &manifest)?;
        let bad = |error| unreadable(word, &error);
        let (config, _) = View::config_of(&manifest).map_err(bad)?;
        let view = View::of_documents(&manifest, &document(&directory, &config)?).map_err(bad)?;
        Ok(Self {
            ctx,
            name: word.to_owned(),
            view,
            bytes: Bytes::Layout(directory),
        })
    }

    /// Whether all of its blobs are tar archives.
    pub(crate) fn is_plain(&self) -> bool {
        let is_tar = |blob: &Blob| matches!(Encoding::of(&blob.media_type), Ok(Encoding::Tar));
        self.view.blobs.iter().all(is_tar)
    }

    /// Whether its files are read without a network.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(self.bytes, Bytes::Registry(_))
    }

    /// The bytes that listing its blobs reads.
    pub(crate) fn size_of(blobs: &[Blob]) -> u64 {
        let sizes = blobs
            .iter()
            .map(|blob| blob.stored_bytes.or(blob.tar_bytes));
        sizes.flatten().sum()
    }

    /// Lists what some of its blobs hold; `progress` gets the bytes that were read.
    ///
    /// # Errors
    /// A blob is not there, is not what its digest says, or is no archive.
    pub(crate) fn list(&self, blobs: &[Blob], progress: &dyn Fn(u64)) -> Result<Listing> {
        let mut listing = Listing::default();
        for blob in blobs {
            self.ctx.check_interrupted()?;
            let digest = blob.digest.context("a blob of an image without a digest")?;
            let listed = self.with_blob(blob, &digest, &mut |reader, encoding| {
                let mut reader = Verified::new(reader, digest, progress);
                listing.read(&mut reader, encoding).map_err(not_read)
            });
            self.ctx.check_interrupted()?;
            listed.with_context(|| format!("cannot list blob `{digest}` of `{}`", self.name))?;
        }
        Ok(listing)
    }

    fn with_blob(
        &self,
        blob: &Blob,
        digest: &Digest,
        read: &mut dyn FnMut(&mut dyn Read, Encoding) -> Result<()>,
    ) -> Result<()> {
        let encoding =
            || Encoding::of(&blob.media_type).map_err(|error| unreadable(&self.name, &error));
        match &self.bytes {
            Bytes::Registry(registry) => read(&mut registry.open_blob(digest)?, encoding()?),
            Bytes::Layout(directory) => {
                let file = fs_err::File::open(blob_file(directory, digest))?;
                read(
                    &mut std::io::BufReader::with_capacity(1 << 18, file),
                    encoding()?,
                )
            }
            Bytes::Store(stored) => {
                stored.with_tar(self.ctx, digest, &mut |tar| read(tar, Encoding::Tar))
            }
        }
    }
}

impl Stored {
    /// Makes the tar of a blob while it is read.
    fn with_tar(
        &self,
        ctx: &Ctx,
        diff_id: &Digest,
        read: &mut dyn FnMut(&mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let layers = self.image.layers.iter();
        let mut blobs = layers.flat_map(|layer| {
            layer
                .blobs
                .iter()
                .enumerate()
                .map(move |blob| (layer, blob))
        });
        let (layer, (number, blob)) = blobs
            .find(|(_, (_, blob))| blob.diff_id == *diff_id)
            .context("a blob that the image does not have")?;
        let plan = Plan::open(&layer.name, &layer.blobs, self.store_root.as_deref())
            .map_err(from_image)?;
        let (mut reader, mut writer) = std::io::pipe()?;
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                let mut out = Interruptible {
                    cancel: ctx,
                    inner: &mut writer,
                };
                plan.write_blob(number, blob, &mut out, &|_| ())
                    .map_err(from_image)
            });
            let outcome = read(&mut reader);
            // A writer that nobody reads from any more ends with a broken pipe.
            drop(reader);
            let written = writing.join();
            let written = written.map_err(|_| anyhow::anyhow!("the writer of a blob panicked"))?;
            // What the writer says is the cause of what the reader met.
            match (outcome, written) {
                (Ok(()), written) => written,
                (Err(outcome), Err(cause)) if !is_broken_pipe(&cause) => {
                    Err(cause.context(outcome.to_string()))
                }
                (Err(outcome), _) => Err(outcome),
            }
        })
    }
}

/// Bytes that are not those of the digest are not right; that they do not come is the
/// environment's fault.
fn not_read(error: image_diff::Error) -> anyhow::Error {
    match error {
        image_diff::Error::Archive(io) if io.kind() == std::io::ErrorKind::InvalidData => {
            error::not_right(io.to_string()).into()
        }
        image_diff::Error::Archive(io) => io.into(),
        other => other.into(),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The last image of a variant and a layer that was built here, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    label: String,
    layer: String,
    link: PathBuf,
}

impl Built {
    /// The one of this variant and layer.
    pub(crate) fn new(ctx: &Ctx, label: &str, layer: &str) -> Self {
        Self {
            label: label.to_owned(),
            layer: layer.to_owned(),
            link: roots(ctx).join(label).join(layer),
        }
    }

    fn find(ctx: &Ctx, variant: Option<&str>, layer: &str) -> Result<Self> {
        let label = match variant {
            // What was built with other architectures has a name of its own.
            Some(label) if roots(ctx).join(label).is_dir() => label.to_owned(),
            other => {
                let variant = VariantArgs {
                    variant: other.map(str::to_owned),
                    omit: None,
                    cuda_architectures: Vec::new(),
                };
                select::variant(ctx, &variant)?.label()
            }
        };
        let layer = select::layer(ctx, layer)?;
        Ok(Self::new(ctx, &label, &layer.to_string()))
    }

    /// Reads its description; `None` when it is not there.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(crate) fn read(&self, ctx: &Ctx) -> Result<Option<Stored>> {
        let Ok(target) = fs_err::read_link(&self.link) else {
            return Ok(None);
        };
        let store_root = store_root(ctx, &target)?;
        if !comfy_image::resolve(store_root.as_deref(), &target).exists() {
            return Ok(None);
        }
        let image = read(&target, store_root.as_deref()).map_err(from_image)?;
        Ok(Some(Stored { image, store_root }))
    }

    fn missing(&self, word: &str) -> Failure {
        error::bad_input(format!("`{word}` is no image: {self} was not built here"))
            .hint(format!("build it: `cargo xtask build {} --variant {}`", self.layer, self.label))
            .hint("or name one in a registry (`HOST/NAME:TAG`, `HOST/NAME@DIGEST`), or the directory of an OCI layout")
    }
}

impl std::fmt::Display for Built {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.label, self.layer)
    }
}

/// Reads a description, also one that another version of this program wrote: what it says of
/// blobs is checked when they are read.
pub(crate) fn read(file: &Path, store_root: Option<&Path>) -> Result<Image, comfy_image::Error> {
    comfy_image::read_json("image description", &comfy_image::resolve(store_root, file))
}

/// Where the store is that has a path, if not at `/`.
pub(crate) fn store_root(ctx: &Ctx, path: &Path) -> Result<Option<PathBuf>> {
    if path.exists() {
        return Ok(None);
    }
    let nix = Nix::find_or_provide(ctx)?;
    Ok(nix.store_root().map(Path::to_owned))
}

/// `HOST/NAME:TAG` or `HOST/NAME@DIGEST`; `None` for what names no registry.
pub(crate) fn remote(word: &str) -> Result<Option<(String, String)>> {
    let is_host = |host: &str| host.contains(['.', ':']) || host == "localhost";
    let Some((host, _)) = word.split_once('/') else {
        return Ok(None);
    };
    if !is_host(host) || host.starts_with('.') {
        return Ok(None);
    }
    let bad = |problem: &dyn std::fmt::Display| error::bad_input(format!("`{word}`: {problem}"));
    let (name, digest) = match word.split_once('@') {
        Some((name, digest)) => {
            let digest: Digest = digest.parse().map_err(|problem| bad(&problem))?;
            (name, Some(digest))
        }
        None => (word, None),
    };
    let has_tag = name
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'));
    if digest.is_none() && !has_tag {
        return Err(bad(&"an image has a tag or a digest")
            .hint(format!("`{word}:TAG`"))
            .into());
    }
    let full = if has_tag {
        name.to_owned()
    } else {
        format!("{name}:none")
    };
    let reference: Reference = full.parse().map_err(|problem| bad(&problem))?;
    let version = digest.map_or_else(|| reference.tag().to_owned(), |digest| digest.to_string());
    Ok(Some((reference.repository().to_owned(), version)))
}

fn place(word: &str) -> Result<Place> {
    let path = Path::new(word);
    let layout = |directory: &Path, tag: Option<&str>| Place::Layout {
        directory: directory.to_owned(),
        tag: tag.map(str::to_owned),
    };
    if path.join("oci-layout").is_file() {
        return Ok(layout(path, None));
    }
    if let Some((directory, tag)) = word.rsplit_once(':') {
        let directory = Path::new(directory);
        if directory.join("oci-layout").is_file() {
            return Ok(layout(directory, Some(tag)));
        }
    }
    if path.is_file() {
        return Ok(Place::Description(path.to_owned()));
    }
    if let Some((repository, version)) = remote(word)? {
        return Ok(Place::Registry {
            repository,
            version,
        });
    }
    if path.is_dir() {
        let text = format!("`{word}` is a directory, and no OCI layout");
        return Err(error::bad_input(text)
            .hint("`cargo xtask stream --oci-layout DIR` writes one")
            .into());
    }
    let is_layer = |text: &str| {
        text.starts_with("layer") || text.starts_with(|first: char| first.is_ascii_digit())
    };
    let (variant, layer) = match word.split_once('/') {
        Some((variant, layer)) => (Some(variant), layer),
        None if is_layer(word) => (None, word),
        None => (Some(word), factory_model::layer::LAST),
    };
    Ok(Place::Built {
        variant: variant.map(str::to_owned),
        layer: layer.to_owned(),
    })
}

/// The index of a layout.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: Digest,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

impl Index {
    fn read(directory: &Path) -> Result<Self> {
        let file = directory.join("index.json");
        let text = fs_err::read_to_string(&file)?;
        let index = serde_json::from_str(&text);
        index.map_err(|source| {
            error::bad_input(format!("`{}` cannot be read: {source}", file.display())).into()
        })
    }

    fn manifest(&self, word: &str, tag: Option<&str>) -> Result<Digest> {
        let tag_of = |entry: &Entry| {
            entry
                .annotations
                .get("org.opencontainers.image.ref.name")
                .cloned()
        };
        let is_wanted = |entry: &&Entry| tag.is_none() || tag_of(entry).as_deref() == tag;
        let found: Vec<&Entry> = self.manifests.iter().filter(is_wanted).collect();
        if let [one] = found.as_slice() {
            return Ok(one.digest);
        }
        let tags: Vec<String> = self.manifests.iter().filter_map(tag_of).collect();
        let text = format!("`{word}` is {} images", found.len());
        Err(error::bad_input(text)
            .hint(format!(
                "name one as `DIR:TAG`; the tags are `{}`",
                tags.join("`, `")
            ))
            .into())
    }
}

/// A document of a layout, whose digest is checked.
fn document(directory: &Path, digest: &Digest) -> Result<String> {
    let file = blob_file(directory, digest);
    let text = fs_err::read_to_string(&file)?;
    let found = Digest::of(text.as_bytes());
    if found == *digest {
        return Ok(text);
    }
    Err(error::not_right(format!("`{}` has the digest {found}", file.display())).into())
}

fn blob_file(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join("blobs/sha256").join(digest.hex())
}

fn unreadable(name: &str, error: &image_diff::Error) -> Failure {
    let failure = error::bad_input(format!("`{name}`: {error}"));
    match error {
        image_diff::Error::Index { .. } => {
            failure.hint("name one of its images by digest: `HOST/NAME@DIGEST`")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_words_for_images() {
        let remote = |word: &str| remote(word).unwrap();
        let pair =
            |repository: &str, version: &str| Some((repository.to_owned(), version.to_owned()));
        assert_eq!(remote("ghcr.io/me/x:1.2"), pair("ghcr.io/me/x", "1.2"));
        assert_eq!(remote("localhost:5000/x:a"), pair("localhost:5000/x", "a"));
        let digest = Digest::of(b"").to_string();
        let both = format!("ghcr.io/me/x:1@{digest}");
        assert_eq!(remote(&both), pair("ghcr.io/me/x", &digest));
        for word in [
            "slim",
            "slim/05",
            "origin/main",
            "HEAD~1",
            "../x/y",
            "./x/y:1",
        ] {
            assert_eq!(remote(word), None, "{word}");
        }
        let built = |variant: Option<&str>, layer: &str| Place::Built {
            variant: variant.map(str::to_owned),
            layer: layer.to_owned(),
        };
        assert_eq!(place("slim").unwrap(), built(Some("slim"), "last"));
        assert_eq!(place("slim/05").unwrap(), built(Some("slim"), "05"));
        assert_eq!(place("layer05").unwrap(), built(None, "layer05"));
    }

    #[test]
    fn err_words_for_no_image() {
        for word in ["ghcr.io/me/x", "ghcr.io/Me/x:1", "ghcr.io/me/x@sha256:1"] {
            let error = place(word).unwrap_err();
            assert_eq!(error::kind_of(&error), error::Kind::BadInput, "{word}");
        }
        let directory = tempfile::tempdir().unwrap();
        let error = place(directory.path().to_str().unwrap()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is a directory, and no OCI layout")
        );
    }

    #[test]
    fn ok_layouts_by_tag() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        fs_err::write(at.join("oci-layout"), "").unwrap();
        let entry = |text: &str, tag: &str| {
            format!(
                r#"{{"digest":"{}","annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}"#,
                Digest::of(text.as_bytes())
            )
        };
        let index = format!(
            r#"{{"manifests":[{},{}]}}"#,
            entry("1", "a"),
            entry("2", "b")
        );
        fs_err::write(at.join("index.json"), index).unwrap();
        let index = Index::read(at).unwrap();
        assert_eq!(index.manifest("x", Some("b")).unwrap(), Digest::of(b"2"));
        let error = index.manifest("x", None).unwrap_err();
        insta::assert_snapshot!(format!("{error}\n{}", error::hints_of(&error).join("\n")), @r"
        `x` is 2 images
        name one as `DIR:TAG`; the tags are `a`, `b`
        ");
        let word = format!("{}:a", at.display());
        assert!(
            matches!(place(&word).unwrap(), Place::Layout { tag: Some(tag), .. } if tag == "a")
        );
    }
}
