//! OCI layout directories: written so that nothing half-written is taken for whole, and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Hasher};
use crate::error::Error;
use crate::files::{At as _, is_stale_partial, partial_name, publish, write_whole};
use crate::image::Image;
use crate::name::Reference;
use crate::oci::{self, ConfigDiffIds, Descriptor, Index, LAYOUT_JSON, Manifest};
use crate::stream::for_each_blob;

/// Says how a layout is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions<'a> {
    /// The name in the index, in place of the image's own.
    pub reference: Option<&'a Reference>,
    /// Where the Nix store is, if not at `/`.
    pub store_root: Option<&'a Path>,
}

/// Counts what writing a layout did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteReport {
    /// Blobs that were written.
    pub n_written: u64,
    /// Blobs that were there already.
    pub n_kept: u64,
    /// Blobs that were there, and wrong.
    pub n_replaced: u64,
}

/// Counts what a check read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Images in the index.
    pub n_images: u64,
    /// Blobs whose bytes have the digest in their name.
    pub n_blobs: u64,
    /// The sum of their sizes.
    pub size_bytes: u64,
}

/// Writes an image to a layout directory, whose index then names this image only.
pub fn write_layout(
    image: &Image,
    directory: &Path,
    options: &WriteOptions<'_>,
    progress: &dyn Fn(u64),
) -> Result<WriteReport, Error> {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).at("create", &blobs)?;
    remove_stale_partials(&blobs)?;
    write_whole(&directory.join("oci-layout"), LAYOUT_JSON.as_bytes())?;

    let mut report = WriteReport::default();
    for_each_blob(image, options.store_root, &mut |plan, number, blob| {
        let path = blobs.join(blob.diff_id.hex());
        if keep(&path, &blob.diff_id, blob.size_bytes, &mut report)? {
            progress(blob.size_bytes);
            return Ok(());
        }
        let temporary = blobs.join(partial_name(&blob.diff_id.hex()));
        let mut file = File::create(&temporary).at("create", &temporary)?;
        let written = match plan.write_blob(number, blob, &mut file, progress) {
            Ok(()) => publish(&file, &temporary, &path),
            Err(Error::Output { source }) => Err(source).at("write", &temporary),
            Err(error) => Err(error),
        };
        if written.is_err() {
            // The first error is the one to report; the next run removes what is left here.
            fs::remove_file(&temporary).unwrap_or(());
        }
        written
    })?;
    for document in [&image.config, &image.manifest] {
        let path = blobs.join(document.digest.hex());
        if !keep(&path, &document.digest, document.size_bytes, &mut report)? {
            write_whole(&path, document.json.as_bytes())?;
        }
    }
    // Last, because it is what makes the image visible.
    let index = image.index_json(options.reference.unwrap_or(&image.reference))?;
    write_whole(&directory.join("index.json"), index.as_bytes())?;
    Ok(report)
}

/// Reads every blob of a layout and follows its index; reports all faults together.
pub fn check(directory: &Path) -> Result<CheckReport, Error> {
    let mut checker = Checker {
        directory,
        sizes: BTreeMap::new(),
        faults: Vec::new(),
        report: CheckReport::default(),
    };
    checker.run()?;
    if checker.faults.is_empty() {
        Ok(checker.report)
    } else {
        Err(Error::Layout {
            path: directory.to_owned(),
            faults: checker.faults,
        })
    }
}

struct Checker<'a> {
    directory: &'a Path,
    /// The sound blobs.
    sizes: BTreeMap<Digest, u64>,
    faults: Vec<String>,
    report: CheckReport,
}

impl Checker<'_> {
    fn run(&mut self) -> Result<(), Error> {
        match self.text("oci-layout")? {
            Some(text) if is_layout(&text) => {}
            Some(_) => self.fault("`oci-layout` does not name version 1.0.0".to_owned()),
            None => self.fault("`oci-layout` is missing".to_owned()),
        }
        let wrong = self.read_blobs()?;
        let Some(text) = self.text("index.json")? else {
            self.fault("`index.json` is missing".to_owned());
            return Ok(());
        };
        match serde_json::from_slice::<Index>(&text) {
            Err(error) => self.fault(format!("`index.json` is not an image index: {error}")),
            Ok(index) => {
                for manifest in &index.manifests {
                    self.manifest(manifest, &wrong)?;
                }
                self.report.n_images = index.manifests.len() as u64;
            }
        }
        Ok(())
    }

    /// Hashes every blob, and returns those whose bytes are not what their name says.
    fn read_blobs(&mut self) -> Result<BTreeSet<Digest>, Error> {
        let blobs = self.directory.join("blobs/sha256");
        let mut wrong = BTreeSet::new();
        for name in names(&blobs)? {
            let Ok(digest) = format!("sha256:{name}").parse::<Digest>() else {
                self.fault(format!("`blobs/sha256/{name}` is not named by a digest"));
                continue;
            };
            let (found, size_bytes) = hash_file(&blobs.join(&name))?;
            if found == digest {
                self.sizes.insert(digest, size_bytes);
                self.report.n_blobs += 1;
                self.report.size_bytes += size_bytes;
            } else {
                wrong.insert(digest);
                self.fault(format!(
                    "blob `{digest}` has other bytes than its name says, found `{found}` ({size_bytes} bytes)"
                ));
            }
        }
        Ok(wrong)
    }

    fn manifest(&mut self, descriptor: &Descriptor, wrong: &BTreeSet<Digest>) -> Result<(), Error> {
        let digest = descriptor.digest;
        if descriptor.media_type != oci::MANIFEST {
            let media_type = &descriptor.media_type;
            self.fault(format!(
                "`index.json` names `{digest}`, which is a `{media_type}`"
            ));
            return Ok(());
        }
        if !self.is_present("`index.json`", descriptor, wrong) {
            return Ok(());
        }
        let owner = format!("manifest `{digest}`");
        let manifest: Manifest = match serde_json::from_slice(&self.blob(&digest)?) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.fault(format!("{owner} is not readable: {error}"));
                return Ok(());
            }
        };
        for layer in &manifest.layers {
            self.is_present(&owner, layer, wrong);
        }
        if !self.is_present(&owner, &manifest.config, wrong) {
            return Ok(());
        }
        let config = self.blob(&manifest.config.digest)?;
        match serde_json::from_slice::<ConfigDiffIds>(&config) {
            Err(error) => self.fault(format!("the config of {owner} is not readable: {error}")),
            Ok(config) => self.diff_ids(&owner, &manifest, &config.rootfs.diff_ids),
        }
        Ok(())
    }

    fn diff_ids(&mut self, owner: &str, manifest: &Manifest, diff_ids: &[Digest]) {
        if diff_ids.len() != manifest.layers.len() {
            let (n_diff_ids, n_layers) = (diff_ids.len(), manifest.layers.len());
            self.fault(format!(
                "{owner} has {n_layers} layers and its config {n_diff_ids}"
            ));
        }
        for (layer, diff_id) in manifest.layers.iter().zip(diff_ids) {
            if layer.media_type == oci::LAYER_TAR && layer.digest != *diff_id {
                let digest = layer.digest;
                self.fault(format!(
                    "{owner} has layer `{digest}` where its config has `{diff_id}`"
                ));
            }
        }
    }

    fn is_present(&mut self, owner: &str, wanted: &Descriptor, wrong: &BTreeSet<Digest>) -> bool {
        let Descriptor { digest, size, .. } = wanted;
        match self.sizes.get(digest) {
            Some(found) if found == size => return true,
            Some(found) => self.fault(format!(
                "{owner} gives blob `{digest}` {size} bytes, found {found}"
            )),
            None if wrong.contains(digest) => {}
            None => self.fault(format!("{owner} names blob `{digest}`, which is missing")),
        }
        false
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    fn blob(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let path = self.directory.join("blobs/sha256").join(digest.hex());
        fs::read(&path).at("read", &path)
    }

    fn text(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.directory.join(name);
        match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("read", &path),
        }
    }
}

/// Says whether a blob can stay as it is, and counts it: one of the right size may be wrong.
fn keep(
    path: &Path,
    digest: &Digest,
    size_bytes: u64,
    report: &mut WriteReport,
) -> Result<bool, Error> {
    let found = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.n_written += 1;
            return Ok(false);
        }
        Err(error) => return Err(error).at("look at", path),
    };
    let is_right = found == size_bytes && hash_file(path)?.0 == *digest;
    if is_right {
        report.n_kept += 1;
    } else {
        report.n_replaced += 1;
    }
    Ok(is_right)
}

fn hash_file(path: &Path) -> Result<(Digest, u64), Error> {
    let mut file = File::open(path).at("open", path)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(n_bytes) => hasher.update(&buffer[..n_bytes]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).at("read", path),
        }
    }
}

fn is_layout(text: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(text)
        .is_ok_and(|value| value["imageLayoutVersion"] == "1.0.0")
}

fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(error).at("list", directory),
    };
    for item in listing {
        let name = item.at("list", directory)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn remove_stale_partials(directory: &Path) -> Result<(), Error> {
    for name in names(directory)? {
        if is_stale_partial(&name) {
            let path: PathBuf = directory.join(name);
            fs::remove_file(&path).at("remove", &path)?;
        }
    }
    Ok(())
}
