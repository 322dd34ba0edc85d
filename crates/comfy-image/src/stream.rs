//! Archives on a stream. Nothing is written to disk, and every blob is hashed on its way.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::thread;

use crate::blob::LayerPlan;
use crate::digest::Digest;
use crate::error::Error;
use crate::image::{Image, ImageLayer, canonical_json};
use crate::layer::Blob;
use crate::name::Reference;
use crate::oci::{DockerManifest, LAYOUT_JSON};
use crate::parallel::join;
use crate::tar_header::{END, MemberKind, header, padding};

pub use crate::blob::LayerPlan as Plan;

/// Writes what `docker load` and `podman load` read.
///
/// `progress` gets the number of bytes of each write of a blob.
pub fn write_docker_archive(
    image: &Image,
    reference: Option<&Reference>,
    store_root: Option<&Path>,
    out: &mut dyn Write,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    let layer_name = |blob: &Blob| format!("{}/layer.tar", blob.diff_id.hex());
    let config_name = format!("{}.json", image.config.digest.hex());
    let manifest = [DockerManifest {
        config: config_name.clone(),
        repo_tags: vec![reference.unwrap_or(&image.reference).to_string()],
        layers: image.blobs().map(layer_name).collect(),
    }];
    write_blobs(image, store_root, &layer_name, out, progress)?;
    put(out, &config_name, image.config.json.as_bytes())?;
    put(
        out,
        "manifest.json",
        canonical_json("manifest", &manifest)?.as_bytes(),
    )?;
    end(out)
}

/// Writes an OCI image layout as one tar.
///
/// `progress` gets the number of bytes of each write of a blob.
pub fn write_oci_archive(
    image: &Image,
    reference: Option<&Reference>,
    store_root: Option<&Path>,
    out: &mut dyn Write,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    let blob_name = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    put(out, "oci-layout", LAYOUT_JSON.as_bytes())?;
    write_blobs(
        image,
        store_root,
        &|blob| blob_name(&blob.diff_id),
        out,
        progress,
    )?;
    for document in [&image.config, &image.manifest] {
        put(out, &blob_name(&document.digest), document.json.as_bytes())?;
    }
    let index = image.index_json(reference.unwrap_or(&image.reference))?;
    put(out, "index.json", index.as_bytes())?;
    end(out)
}

/// Calls `visit` for every distinct blob, with the plan that can write it.
///
/// The trees of the next layer are listed while the current one is visited.
pub fn for_each_blob(
    image: &Image,
    store_root: Option<&Path>,
    visit: &mut dyn FnMut(&LayerPlan, usize, &Blob) -> Result<(), Error>,
) -> Result<(), Error> {
    let open = |layer: &ImageLayer| LayerPlan::open(&layer.name, &layer.blobs, store_root);
    let mut seen = BTreeSet::new();
    thread::scope(|scope| {
        let mut next = image
            .layers
            .first()
            .map(|layer| scope.spawn(|| open(layer)));
        for (index, layer) in image.layers.iter().enumerate() {
            let Some(plan) = next.take().map(join).transpose()? else {
                break;
            };
            next = image
                .layers
                .get(index + 1)
                .map(|layer| scope.spawn(|| open(layer)));
            for (number, blob) in layer.blobs.iter().enumerate() {
                if seen.insert(blob.diff_id) {
                    visit(&plan, number, blob)?;
                }
            }
        }
        Ok(())
    })
}

fn write_blobs(
    image: &Image,
    store_root: Option<&Path>,
    name: &dyn Fn(&Blob) -> String,
    out: &mut dyn Write,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    for_each_blob(image, store_root, &mut |plan, number, blob| {
        put_header(out, &name(blob), blob.size_bytes)?;
        plan.write_blob(number, blob, out, progress)?;
        send(out, &END[..padding(blob.size_bytes)])
    })
}

fn put(out: &mut dyn Write, name: &str, bytes: &[u8]) -> Result<(), Error> {
    put_header(out, name, bytes.len() as u64)?;
    send(out, bytes)?;
    send(out, &END[..padding(bytes.len() as u64)])
}

fn put_header(out: &mut dyn Write, name: &str, size_bytes: u64) -> Result<(), Error> {
    send(
        out,
        &header(name.as_bytes(), MemberKind::File { size_bytes }, 0o644),
    )
}

fn end(out: &mut dyn Write) -> Result<(), Error> {
    send(out, &END)?;
    out.flush().map_err(|source| Error::Output { source })
}

fn send(out: &mut dyn Write, bytes: &[u8]) -> Result<(), Error> {
    out.write_all(bytes)
        .map_err(|source| Error::Output { source })
}
