//! An image that a command compares: in a registry, in a layout, or in the store.

mod layout;
mod place;
mod stored;

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use comfy_image::Digest;
use image_diff::{Blob, Encoding, Listing, Verified, View};

use crate::ctx::Ctx;
use factory_base::error::{self, Failure};
use layout::{Index, blob_file, document};
use oci_registry::Registry;
use place::{Place, place};

pub(crate) use place::remote;
pub(crate) use stored::{Built, Stored, read, store_root};

/// An image, and the way to its bytes.
pub(crate) struct Operand<'c> {
    ctx: &'c Ctx,
    /// As people know it.
    pub(crate) name: String,
    pub(crate) view: View,
    /// Variant and layer, where it is what was built here last.
    pub(crate) built: Option<Built>,
    bytes: Bytes<'c>,
}

enum Bytes<'c> {
    Registry(Box<Registry<'c>>),
    Layout(PathBuf),
    Store(Box<Stored>),
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
                let operand = Self::in_store(ctx, format!("{built} (built here)"), stored)?;
                Ok(Self {
                    built: Some(built),
                    ..operand
                })
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
            built: None,
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
            built: None,
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
            built: None,
            bytes: Bytes::Layout(directory),
        })
    }

    /// The description of an image whose trees the store has.
    pub(crate) fn stored(&self) -> Option<&Stored> {
        match &self.bytes {
            Bytes::Store(stored) => Some(stored),
            Bytes::Registry(_) | Bytes::Layout(_) => None,
        }
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

fn unreadable(name: &str, error: &image_diff::Error) -> Failure {
    let failure = error::bad_input(format!("`{name}`: {error}"));
    match error {
        image_diff::Error::Index { .. } => {
            failure.hint("name one of its images by digest: `HOST/NAME@DIGEST`")
        }
        _ => failure,
    }
}
