//! Images whose trees the store has, and what was built here last.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use comfy_image::Digest;
use comfy_image::image::Image;
use comfy_image::stream::Plan;

use crate::cli::VariantArgs;
use crate::ctx::Ctx;
use crate::exit::from_image;
use crate::interruptible::Interruptible;
use crate::select;
use factory_base::error::{self, Failure};
use factory_nix::{Nix, roots};

/// An image that the store has the trees of.
pub(crate) struct Stored {
    pub(crate) image: Image,
    pub(crate) store_root: Option<PathBuf>,
}

impl Stored {
    /// Makes the tar of a blob while it is read.
    pub(super) fn with_tar(
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

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The last image of a variant and a layer that was built here, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    /// The variant, with what was left out and added.
    pub(crate) label: String,
    /// As in `05-pak3`.
    pub(crate) layer: String,
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

    /// The one that was built last of all; `None` where nothing was.
    ///
    /// # Errors
    /// A directory cannot be listed.
    pub(crate) fn newest(ctx: &Ctx) -> Result<Option<Self>> {
        let layers = select::layers(ctx)?;
        let mut newest: Option<(std::time::SystemTime, Self)> = None;
        if !roots(ctx).is_dir() {
            return Ok(None);
        }
        for variant in fs_err::read_dir(roots(ctx))? {
            let label = variant?.file_name().to_string_lossy().into_owned();
            for layer in &layers {
                let built = Self::new(ctx, &label, &layer.to_string());
                let Ok(since) =
                    fs_err::symlink_metadata(&built.link).and_then(|metadata| metadata.modified())
                else {
                    continue;
                };
                if newest.as_ref().is_none_or(|(known, _)| *known <= since) {
                    newest = Some((since, built));
                }
            }
        }
        Ok(newest.map(|(_, built)| built))
    }

    /// The store path of its description; `None` when it is not there.
    pub(crate) fn target(&self) -> Option<PathBuf> {
        fs_err::read_link(&self.link).ok()
    }

    pub(super) fn find(ctx: &Ctx, variant: Option<&str>, layer: &str) -> Result<Self> {
        let label = match variant {
            // What was built with other architectures has a name of its own.
            Some(label) if roots(ctx).join(label).is_dir() => label.to_owned(),
            other => {
                let variant = VariantArgs {
                    variant: other.map(str::to_owned),
                    system: None,
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

    pub(super) fn missing(&self, word: &str) -> Failure {
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
