//! Builds package trees, and reads archives back with the `tar` crate.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use comfy_image::image::{Image, ImageRequest, assemble};
use comfy_image::layer::{LayerRequest, LayerSpec, TreeRef};
use comfy_image::oci::ContainerConfig;
use comfy_image::spec::build_spec;
use comfy_image::stream::{Plan, write_docker_archive};
use comfy_image::{Error, Partition, Replacement, SchemaVersion, Stacking, write_json};
use tempfile::TempDir;

/// Is a directory with package trees; they go away with it.
pub struct Store {
    directory: TempDir,
}

/// Is one package tree under construction.
pub struct Tree {
    package: String,
    path: PathBuf,
}

/// Is a member as the `tar` crate reads it: kind, mode, size or link target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: Vec<u8>,
    pub kind: tar::EntryType,
    pub mode: u32,
    pub target: Option<Vec<u8>>,
    pub content: Vec<u8>,
}

impl Store {
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn tree(&self, package: &str) -> Tree {
        let path = self.path().join(package);
        fs::create_dir_all(path.join("root")).unwrap();
        Tree {
            package: package.to_owned(),
            path,
        }
    }

    /// Replaces the path of this directory, which differs in each run.
    pub fn filter(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "[STORE]")
    }

    pub fn write_spec(&self, spec: &LayerSpec) -> PathBuf {
        let path = self.path().join(format!("{}.json", spec.name));
        write_json("layer spec", &path, spec).unwrap();
        path
    }

    pub fn try_image(&self, specs: &[LayerSpec]) -> Result<Image, Error> {
        self.try_image_with(specs, Vec::new())
    }

    pub fn try_image_with(
        &self,
        specs: &[LayerSpec],
        replacements: Vec<Replacement>,
    ) -> Result<Image, Error> {
        self.try_stacked(specs, replacements, None)
    }

    pub fn try_stacked(
        &self,
        specs: &[LayerSpec],
        replacements: Vec<Replacement>,
        stacking: Option<Stacking>,
    ) -> Result<Image, Error> {
        let request = ImageRequest {
            schema_version: SchemaVersion,
            name: "comfyui-boot".to_owned(),
            tag: "test".to_owned(),
            config: ContainerConfig {
                env: vec!["PATH=/usr/bin".to_owned()],
                cmd: vec!["/entrypoint".to_owned()],
                working_dir: Some("/root".to_owned()),
                volumes: [("/root".to_owned(), comfy_image::oci::Empty {})].into(),
                ..ContainerConfig::default()
            },
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            created: "1970-01-01T00:00:01Z".to_owned(),
            layers: specs.iter().map(|spec| self.write_spec(spec)).collect(),
            replacements,
            stacking,
        };
        assemble(&request, None)
    }

    pub fn image(&self, specs: &[LayerSpec]) -> Image {
        self.try_image(specs).unwrap()
    }
}

impl Tree {
    pub fn dir(self, path: &str) -> Self {
        fs::create_dir_all(self.at(path)).unwrap();
        self
    }

    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, content).unwrap();
        self
    }

    pub fn executable(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let this = self.file(path, content);
        fs::set_permissions(this.at(path), fs::Permissions::from_mode(0o555)).unwrap();
        this
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(target, at).unwrap();
        self
    }

    pub fn modes(self, text: &str) -> Self {
        fs::write(self.path.join("modes"), text).unwrap();
        self
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.path.join("root").join(path)
    }

    pub fn tree_ref(&self) -> TreeRef {
        TreeRef {
            package: self.package.clone(),
            path: self.path.clone(),
            contains: Vec::new(),
            only: Vec::new(),
        }
    }
}

/// At most one blob.
pub fn request(name: &str, trees: &[&Tree]) -> LayerRequest {
    request_cut(name, trees, 1, u64::MAX)
}

pub fn request_cut(
    name: &str,
    trees: &[&Tree],
    max_blobs: usize,
    alone_from_bytes: u64,
) -> LayerRequest {
    LayerRequest {
        schema_version: SchemaVersion,
        name: name.parse().unwrap(),
        trees: trees.iter().map(|tree| tree.tree_ref()).collect(),
        partition: Partition {
            max_blobs: NonZeroUsize::new(max_blobs).unwrap(),
            alone_from_bytes,
        },
    }
}

pub fn try_spec(name: &str, trees: &[&Tree]) -> Result<LayerSpec, Error> {
    build_spec(&request(name, trees), NonZeroUsize::MIN, None)
}

pub fn spec(name: &str, trees: &[&Tree]) -> LayerSpec {
    try_spec(name, trees).unwrap()
}

pub fn blob_bytes(spec: &LayerSpec, number: usize) -> Vec<u8> {
    let plan = Plan::open(&spec.name, &spec.blobs, None).unwrap();
    let mut bytes = Vec::new();
    plan.write_blob(number, &spec.blobs[number], &mut bytes, &|_| ())
        .unwrap();
    bytes
}

pub fn docker_archive(image: &Image) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    write_docker_archive(image, None, None, &mut bytes, &|_| ())?;
    Ok(bytes)
}

pub fn read_tar(bytes: &[u8]) -> Vec<Found> {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.mtime().unwrap(), 1);
            assert_eq!(
                (header.username_bytes(), header.groupname_bytes()),
                (Some(&b""[..]), Some(&b""[..]))
            );
            let mode = header.mode().unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            Found {
                path: entry.path_bytes().into_owned(),
                kind: entry.header().entry_type(),
                mode,
                target: entry.link_name_bytes().map(|target| target.into_owned()),
                content,
            }
        })
        .collect()
}

/// Lists a tar as text: kind, mode, path, and what it holds.
pub fn listing(bytes: &[u8]) -> String {
    read_tar(bytes)
        .iter()
        .map(|found| {
            let kind = match found.kind {
                tar::EntryType::Directory => 'd',
                tar::EntryType::Symlink => 'l',
                tar::EntryType::Regular => '-',
                other => panic!("{other:?}"),
            };
            let path = String::from_utf8_lossy(&found.path);
            let rest = match &found.target {
                Some(target) => format!(" -> {}", String::from_utf8_lossy(target)),
                None if kind == '-' => format!(" {:?}", String::from_utf8_lossy(&found.content)),
                None => String::new(),
            };
            format!("{kind} {:04o} {path}{rest}\n", found.mode)
        })
        .collect()
}

/// Returns the contents of an archive by name.
pub fn members(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    read_tar(bytes)
        .into_iter()
        .map(|found| (String::from_utf8(found.path).unwrap(), found.content))
        .collect()
}
