//! What goes to a registry: each blob as it is, or encoded by the program of the store that
//! gives the same bytes on every machine (docs/design/D14-compressed-blobs.md).

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use comfy_image::compression::{CompressedLayer, Compression};
use comfy_image::image::{Document, ImageLayer};
use comfy_image::layer::Blob;
use comfy_image::stream::Plan;
use comfy_image::{Digest, resolve};
use xshell::{Shell, cmd};

use crate::ctx::Ctx;
use crate::exit::from_image;
use crate::interruptible::Interruptible;
use crate::realize::Realized;
use factory_base::fs::Lock;
use factory_base::{error, process};
use factory_nix::{Derivation, add_root, build, ensure_sources, roots};

/// An image in the form that a registry gets.
pub(crate) struct Outgoing<'i> {
    /// Its manifest in this form; the configuration is the same in all of them.
    pub(crate) manifest: Document,
    /// Each blob, the lowest first.
    pub(crate) blobs: Vec<OutgoingBlob<'i>>,
}

/// One blob, and how its bytes are made.
pub(crate) struct OutgoingBlob<'i> {
    /// What the registry knows it by.
    pub(crate) digest: Digest,
    /// What is sent.
    pub(crate) size_bytes: u64,
    pub(crate) layer: &'i ImageLayer,
    number: usize,
    blob: &'i Blob,
    encoding: Option<Encoding>,
}

struct Encoding {
    compression: Compression,
    encoder: PathBuf,
}

impl<'i> Outgoing<'i> {
    /// The image as it is, or encoded; what an encoded blob is then is computed once, and kept
    /// in the store.
    pub(crate) fn of(
        ctx: &Ctx,
        realized: &'i Realized,
        compression: Option<Compression>,
    ) -> Result<Self> {
        let image = &realized.image;
        let Some(compression) = compression else {
            let blobs = image.layers.iter().flat_map(plain);
            return Ok(Self {
                manifest: image.manifest.clone(),
                blobs: blobs.collect(),
            });
        };
        let layers = encoded_layers(ctx, realized, compression)?;
        let manifest = image.encoded_manifest(&layers).map_err(from_image)?;
        let blobs = image.layers.iter().flat_map(|layer| {
            let encoded = layers.iter().filter(|encoded| encoded.name == layer.name);
            encoded.flat_map(move |encoded| encode_all(layer, encoded))
        });
        Ok(Self {
            manifest,
            blobs: blobs.collect(),
        })
    }
}

fn plain(layer: &ImageLayer) -> impl Iterator<Item = OutgoingBlob<'_>> {
    let blobs = layer.blobs.iter().enumerate();
    blobs.map(move |(number, blob)| OutgoingBlob {
        digest: blob.diff_id,
        size_bytes: blob.size_bytes,
        layer,
        number,
        blob,
        encoding: None,
    })
}

/// The manifest was made from the same two, so they agree on the blobs.
fn encode_all<'i>(
    layer: &'i ImageLayer,
    encoded: &CompressedLayer,
) -> impl Iterator<Item = OutgoingBlob<'i>> {
    let blobs = plain(layer).zip(&encoded.blobs);
    blobs.map(|(blob, known)| OutgoingBlob {
        digest: known.digest,
        size_bytes: known.size_bytes,
        encoding: Some(Encoding {
            compression: encoded.compression,
            encoder: encoded.encoder.clone(),
        }),
        ..blob
    })
}

impl OutgoingBlob<'_> {
    /// Whether it is made from a listing of the layer's trees by this program.
    pub(crate) fn needs_plan(&self) -> bool {
        self.encoding.is_none()
    }

    /// Writes it; `plan` is that of its layer, where it needs one.
    pub(crate) fn write(
        &self,
        ctx: &Ctx,
        store_root: Option<&Path>,
        plan: Option<&Plan>,
        out: &mut dyn Write,
        progress: &dyn Fn(u64),
    ) -> Result<()> {
        let mut out = Interruptible {
            cancel: ctx,
            inner: out,
        };
        if let Some(encoding) = &self.encoding {
            let mut out = Counted {
                inner: &mut out,
                progress,
            };
            return self.encode(encoding, store_root, &mut out);
        }
        let plan = plan.context("a blob that is not encoded comes without its layer's plan")?;
        plan.write_blob(self.number, self.blob, &mut out, progress)
            .map_err(from_image)
    }

    fn encode(
        &self,
        encoding: &Encoding,
        store_root: Option<&Path>,
        out: &mut dyn Write,
    ) -> Result<()> {
        let shell = Shell::new()?;
        let program = resolve(store_root, &encoding.encoder).into_owned();
        let spec = &self.layer.spec;
        let diff_id = self.blob.diff_id.to_string();
        let compression = encoding.compression.name();
        // Several blobs are under way at once, and the last one may be large.
        let jobs = std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2));
        let jobs = jobs.to_string();
        let root = store_root.iter().flat_map(|root| {
            let root = root.as_os_str().to_owned();
            ["--store-root".into(), root]
        });
        let cmd = cmd!(
            shell,
            "{program} encode --spec {spec} --diff-id {diff_id} --compression {compression} --jobs {jobs} {root...}"
        );
        process::produce(cmd, out)
    }
}

/// Builds what is missing of the descriptions, and reads them.
fn encoded_layers(
    ctx: &Ctx,
    realized: &Realized,
    compression: Compression,
) -> Result<Vec<CompressedLayer>> {
    let nix = &realized.nix;
    let name = compression.name();
    let layers = realized.plan.up_to(&realized.selection.layer);
    let mut derivations: Vec<&Derivation> = Vec::new();
    for layer in layers {
        let derivation = layer.encoded.get(name).ok_or_else(|| {
            let text = format!("the flake does not know `{name}` blobs of {}", layer.name);
            error::bad_input(text)
        })?;
        derivations.push(derivation);
    }
    let outputs: Vec<&str> = derivations.iter().map(|it| it.out_path.as_str()).collect();
    if !nix.invalid_paths(&outputs)?.is_empty() {
        let _lock = Lock::of_run(ctx)?;
        let targets: Vec<String> = derivations.iter().map(|it| it.drv_path.clone()).collect();
        ctx.ui.step(
            "Computing",
            format!("digests of the {name} blobs; this is done once for each layer"),
        );
        ensure_sources(ctx, nix, &targets)?;
        build(ctx, nix, &targets)?;
    }
    let directory = roots(ctx).join(realized.selection.variant.label());
    let mut described = Vec::new();
    for (layer, output) in layers.iter().zip(&outputs) {
        let link = directory.join(format!("{}.{name}", layer.name));
        add_root(nix, &link, output)?;
        let path = Path::new(output);
        described.push(CompressedLayer::read(path, nix.store_root()).map_err(from_image)?);
    }
    Ok(described)
}

/// Says how many bytes went through.
struct Counted<'a> {
    inner: &'a mut dyn Write,
    progress: &'a dyn Fn(u64),
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n_bytes = self.inner.write(bytes)?;
        (self.progress)(n_bytes as u64);
        Ok(n_bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
