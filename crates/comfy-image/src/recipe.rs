//! What encoded blobs will be, computed without keeping any; and one of them, on a stream.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::blob::LayerPlan;
use crate::compression::{CompressedBlob, CompressedLayer, Compression};
use crate::digest::{Digest, Hasher};
use crate::error::Error;
use crate::layer::LayerSpec;
use crate::schema::SchemaVersion;

/// Encodes each blob of a layer, and returns digests and sizes.
///
/// # Errors
/// A tree is not what the spec was computed from.
pub fn describe(
    spec: &LayerSpec,
    compression: Compression,
    jobs: NonZeroUsize,
    encoder: PathBuf,
    store_root: Option<&Path>,
) -> Result<CompressedLayer, Error> {
    let plan = LayerPlan::open(&spec.name, &spec.blobs, store_root)?;
    let mut blobs = Vec::new();
    for (number, blob) in spec.blobs.iter().enumerate() {
        let mut hashed = Hashed::default();
        plan.encode_blob(number, blob, (compression, jobs), &mut hashed)?;
        let (digest, size_bytes) = hashed.0.finish();
        blobs.push(CompressedBlob {
            diff_id: blob.diff_id,
            digest,
            size_bytes,
        });
    }
    Ok(CompressedLayer {
        schema_version: SchemaVersion,
        name: spec.name.clone(),
        compression,
        encoder,
        blobs,
    })
}

/// Writes one encoded blob.
///
/// # Errors
/// The spec has no such blob, a tree is not what it was, or `out` takes no more.
pub fn write(
    spec: &LayerSpec,
    diff_id: &Digest,
    compression: Compression,
    jobs: NonZeroUsize,
    store_root: Option<&Path>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut blobs = spec.blobs.iter().enumerate();
    let Some((number, blob)) = blobs.find(|(_, blob)| blob.diff_id == *diff_id) else {
        let reason = format!("layer `{}` has no blob `{diff_id}`", spec.name);
        return Err(Error::invalid("diff_id", reason));
    };
    let plan = LayerPlan::open(&spec.name, &spec.blobs, store_root)?;
    plan.encode_blob(number, blob, (compression, jobs), out)?;
    out.flush().map_err(|source| Error::Output { source })
}

/// Hashes what is written, and keeps nothing.
#[derive(Default)]
struct Hashed(Hasher);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
