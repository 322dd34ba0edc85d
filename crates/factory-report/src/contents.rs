//! What an image is made of: layers, packages, files.

use std::collections::BTreeMap;

use serde::Serialize;

/// So many files of a package are named; the others are counted.
pub const MOST_FILES: usize = 40;

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contents {
    /// Digest of its manifest.
    pub manifest_digest: String,
    /// Digest of its configuration: the image ID.
    pub config_digest: String,
    /// Bytes of all blobs where they are: compressed in a registry, as tar archives in the store.
    pub size_bytes: u64,
    /// Blobs that it has.
    pub n_blobs: usize,
    /// What the parts of a layer are.
    pub parts_are: PartKind,
    /// At most so many files of a part are named, the largest ones.
    pub most_files: usize,
    /// The layers, the bottom one first.
    pub layers: Vec<Layer>,
}

/// What the parts of a layer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// Packages, whose trees are on this machine.
    Packages,
    /// Blobs: the trees are elsewhere.
    Blobs,
}

impl PartKind {
    /// The word for one.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Packages => "package",
            Self::Blobs => "blob",
        }
    }
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Layer {
    /// As in `05-pak3`.
    pub name: String,
    /// Bytes of its blobs where they are.
    pub size_bytes: u64,
    /// Bytes of its parts: an archive has a header for each file besides.
    pub parts_bytes: u64,
    /// Its blobs.
    pub n_blobs: usize,
    /// Its parts, the largest first.
    pub parts: Vec<Part>,
}

/// A package of a layer, or a blob of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Part {
    /// Name of the package, or the packages of the blob.
    pub name: String,
    /// Version; empty for what has none.
    pub version: String,
    /// Bytes of its files; of a blob, where it is.
    pub size_bytes: u64,
    /// Files and symlinks; null for a blob.
    pub n_files: Option<u64>,
    /// The directory that all of its named files are below; empty for the root.
    pub directory: String,
    /// Its largest files.
    pub files: Vec<File>,
    /// The files that are not named.
    pub n_other_files: u64,
    /// Their bytes.
    pub other_bytes: u64,
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct File {
    /// Its path below the directory of its package.
    pub path: String,
    /// Its bytes.
    pub size_bytes: u64,
}

/// A tree of a package: what its files are called, and their bytes.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Name and version of the package: `numpy 2.4.0`.
    pub package: String,
    /// Each file and symlink with its bytes, from the root of the image.
    pub files: Vec<(String, u64)>,
}

impl Layer {
    /// A layer whose trees are known. Trees of one package count as one part.
    pub fn of_trees(name: &str, size_bytes: u64, n_blobs: usize, trees: Vec<Tree>) -> Self {
        let mut packages: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for tree in trees {
            // A file that two trees have is one file.
            packages.entry(tree.package).or_default().extend(tree.files);
        }
        let parts = packages.into_iter();
        let parts = parts.map(|(package, files)| Part::of_files(&package, files));
        Self::of_parts(name, size_bytes, n_blobs, parts.collect())
    }

    /// A layer of which only the blobs are known.
    pub fn of_blobs(name: &str, blobs: Vec<Part>) -> Self {
        let size_bytes = blobs.iter().map(|blob| blob.size_bytes).sum();
        Self::of_parts(name, size_bytes, blobs.len(), blobs)
    }

    fn of_parts(name: &str, size_bytes: u64, n_blobs: usize, mut parts: Vec<Part>) -> Self {
        parts.sort_by(|one, other| {
            let by_size = other.size_bytes.cmp(&one.size_bytes);
            by_size.then_with(|| one.name.cmp(&other.name))
        });
        Self {
            name: name.to_owned(),
            size_bytes,
            parts_bytes: parts.iter().map(|part| part.size_bytes).sum(),
            n_blobs,
            parts,
        }
    }
}

impl Part {
    /// A blob, with the packages that it is known to hold.
    pub fn of_blob(packages: &[String], size_bytes: u64) -> Self {
        let name = match packages {
            [] => "packages not recorded".to_owned(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        Self {
            name,
            version: String::new(),
            size_bytes,
            n_files: None,
            directory: String::new(),
            files: Vec::new(),
            n_other_files: 0,
            other_bytes: 0,
        }
    }

    fn of_files(package: &str, files: BTreeMap<String, u64>) -> Self {
        let (name, version) = package.split_once(' ').unwrap_or((package, ""));
        let n_files = files.len() as u64;
        let size_bytes = files.values().sum();
        let mut files: Vec<(String, u64)> = files.into_iter().collect();
        files.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let others = files.split_off(files.len().min(MOST_FILES));
        let directory = common_directory(&files);
        let files = files.into_iter().map(|(path, size_bytes)| File {
            path: path.get(directory.len()..).unwrap_or(&path).to_owned(),
            size_bytes,
        });
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            size_bytes,
            n_files: Some(n_files),
            files: files.collect(),
            directory,
            n_other_files: others.len() as u64,
            other_bytes: others.iter().map(|(_, size_bytes)| size_bytes).sum(),
        }
    }
}

/// The deepest directory that all files are below, with its last slash.
fn common_directory(files: &[(String, u64)]) -> String {
    let Some(((first, _), rest)) = files.split_first() else {
        return String::new();
    };
    let mut common = first.rfind('/').map_or("", |at| &first[..=at]);
    for (path, _) in rest {
        while !path.starts_with(common) {
            let shorter = common.trim_end_matches('/').rfind('/');
            common = shorter.map_or("", |at| &common[..=at]);
        }
    }
    common.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(package: &str, files: &[(&str, u64)]) -> Tree {
        let files = files.iter().map(|(path, size)| ((*path).to_owned(), *size));
        Tree {
            package: package.to_owned(),
            files: files.collect(),
        }
    }

    #[test]
    fn ok_trees_of_one_package_are_one_part() {
        let layer = Layer::of_trees(
            "05-pak3",
            9000,
            2,
            vec![
                tree("a 1.0", &[("lib/a/x", 10), ("lib/a/y/z", 20)]),
                tree("b", &[("etc/b", 500)]),
                tree("a 1.0", &[("lib/a/x.pyc", 5), ("lib/a/x", 10)]),
                tree("empty 1", &[]),
            ],
        );
        assert_eq!((layer.parts_bytes, layer.size_bytes), (535, 9000));
        let names: Vec<&str> = layer.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "empty"]);
        let a = &layer.parts[1];
        assert_eq!(
            (a.n_files, a.size_bytes, a.version.as_str()),
            (Some(3), 35, "1.0")
        );
        assert_eq!(a.directory, "lib/a/");
        assert_eq!(
            (a.files[0].path.as_str(), a.files[0].size_bytes),
            ("y/z", 20)
        );
    }

    #[test]
    fn ok_most_files_are_named_and_the_rest_counted() {
        let names: Vec<String> = (0..100).map(|number| format!("d/{number:03}")).collect();
        let files: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(1..).collect();
        let layer = Layer::of_trees("01-a", 0, 1, vec![tree("p 1", &files)]);
        let part = &layer.parts[0];
        assert_eq!(part.files.len(), MOST_FILES);
        assert_eq!(
            (part.files[0].path.as_str(), part.n_other_files),
            ("099", 60)
        );
        let named: u64 = part.files.iter().map(|file| file.size_bytes).sum();
        assert_eq!(named + part.other_bytes, part.size_bytes);
        assert_eq!(part.size_bytes, 5050);
    }

    #[test]
    fn ok_common_directories() {
        let of = |paths: &[&str]| {
            let files: Vec<(String, u64)> =
                paths.iter().map(|path| ((*path).to_owned(), 0)).collect();
            common_directory(&files)
        };
        assert_eq!(of(&["a/b/c", "a/b/d"]), "a/b/");
        assert_eq!(of(&["a/bc/c", "a/b/d"]), "a/");
        assert_eq!(of(&["a/b", "c"]), "");
        assert_eq!(of(&["ä/ö/x", "ä/ü/x"]), "ä/");
        assert_eq!(of(&[]), "");
    }
}
