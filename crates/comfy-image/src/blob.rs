//! A layer that is ready to be streamed, blob by blob.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

#[cfg(feature = "encode")]
use crate::compression::Compression;
use crate::digest::Digest;
#[cfg(feature = "encode")]
use crate::encode::encode;
use crate::error::Error;
use crate::files::At as _;
use crate::layer::{Blob, TreeRef};
use crate::merge::{self, BlobPlan, Listed};
use crate::name::LayerName;
use crate::parallel;
use crate::pipe::{self, ChunkWriter};
use crate::tar_header::{END, header, padding};
use crate::tree::{self, Entries, Kind};

/// The threads that list trees before a layer is streamed.
const LISTING_JOBS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// Holds every path of a layer, and where its bytes are.
#[derive(Debug)]
pub struct LayerPlan {
    name: LayerName,
    trees: Vec<Listed>,
    blobs: Vec<BlobPlan>,
}

impl LayerPlan {
    pub(crate) fn new(
        name: &LayerName,
        trees: &[TreeRef],
        contents: Vec<Entries>,
        assignment: &[usize],
        store_root: Option<&Path>,
    ) -> Result<Self, Error> {
        let mut trees: Vec<Listed> = trees
            .iter()
            .zip(contents)
            .zip(assignment)
            .map(|((tree, entries), blob)| Listed {
                package: tree.package.clone(),
                root: tree::root_of(tree, store_root),
                entries,
                blob: *blob,
            })
            .collect();
        let blobs = merge::merge(name.as_str(), &mut trees)?;
        Ok(Self {
            name: name.clone(),
            trees,
            blobs,
        })
    }

    /// Lists the trees of a layer again, and compares what it finds with the spec's blobs.
    pub fn open(
        name: &LayerName,
        blobs: &[Blob],
        store_root: Option<&Path>,
    ) -> Result<Self, Error> {
        let trees: Vec<TreeRef> = blobs.iter().flat_map(|blob| &blob.trees).cloned().collect();
        let assignment: Vec<usize> = blobs
            .iter()
            .enumerate()
            .flat_map(|(number, blob)| blob.trees.iter().map(move |_| number))
            .collect();
        let contents = parallel::map(&trees, LISTING_JOBS, |_, tree| tree::read(tree, store_root))?;
        let plan = Self::new(name, &trees, contents, &assignment, store_root)?;
        for (number, blob) in blobs.iter().enumerate() {
            let found = plan.blobs().get(number).map_or(0, |plan| plan.size_bytes);
            if found != blob.size_bytes {
                return Err(plan.mismatch(blob, format!("{found} bytes")));
            }
        }
        Ok(plan)
    }

    /// Writes one blob's tar; the stream ends early unless its digest is the spec's.
    ///
    /// `progress` gets the number of bytes of each write.
    pub fn write_blob(
        &self,
        number: usize,
        blob: &Blob,
        out: &mut dyn Write,
        progress: &dyn Fn(u64),
    ) -> Result<(), Error> {
        let verify = |diff_id, n_bytes| {
            if diff_id == blob.diff_id && n_bytes == blob.size_bytes {
                Ok(())
            } else {
                Err(self.mismatch(blob, format!("{diff_id} ({n_bytes} bytes)")))
            }
        };
        pipe::copy(|writer| self.produce(number, writer), verify, out, progress)
    }

    /// Writes one blob encoded; the stream ends early unless the tar is the spec's.
    #[cfg(feature = "encode")]
    pub(crate) fn encode_blob(
        &self,
        number: usize,
        blob: &Blob,
        (compression, jobs): (Compression, NonZeroUsize),
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let produce = |tar: &mut dyn Write| self.write_blob(number, blob, tar, &|_| ());
        encode(compression, jobs, produce, out)
    }

    pub(crate) fn blobs(&self) -> &[BlobPlan] {
        &self.blobs
    }

    pub(crate) fn hash_blob(&self, number: usize) -> Result<(Digest, u64), Error> {
        pipe::hash(|writer| self.produce(number, writer))
    }

    fn produce(&self, number: usize, writer: &mut ChunkWriter) -> Result<(), Error> {
        let blob = self.blobs().get(number).ok_or_else(|| {
            Error::invalid(
                "blob number",
                format!("layer `{}` has no blob {number}", self.name),
            )
        })?;
        for member in &blob.members {
            let entry = &member.entry;
            writer.put(&header(&member.path, entry.member_kind(), entry.mode))?;
            if let Kind::File { size_bytes } = entry.kind {
                let tree = &self.trees[member.tree];
                let path = tree.root.join(OsStr::from_bytes(&member.path));
                let mut file = File::open(&path).at("open", &path)?;
                let has_that_size = writer.put_file(&mut file, size_bytes)?.at("read", &path)?;
                if !has_that_size {
                    return Err(Error::FileChanged {
                        package: tree.package.clone(),
                        path,
                    });
                }
                writer.put(&END[..padding(size_bytes)])?;
            }
        }
        writer.put(&END)
    }

    fn mismatch(&self, blob: &Blob, found: String) -> Error {
        Error::BlobMismatch {
            layer: self.name.to_string(),
            expected: blob.diff_id,
            expected_bytes: blob.size_bytes,
            found,
        }
    }
}
