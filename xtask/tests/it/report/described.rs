//! An image that is described by a file, and needs no Nix.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use comfy_image::image::{ImageRequest, assemble};
use comfy_image::layer::LayerRequest;
use comfy_image::spec::build_spec;
use serde_json::json;

/// Names that want to be more than text.
pub(super) const HOSTILE: [&str; 5] = [
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "{{data}}<!--",
    "\u{202e}gpj.exe",
    "a b'\"&amp;.txt",
];

/// An image that is described by a file, with trees of this size for each file.
pub(super) struct Described {
    directory: tempfile::TempDir,
    layers: Vec<PathBuf>,
}

impl Described {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            layers: Vec::new(),
        }
    }

    /// Adds a layer of packages, each with its files.
    fn layer(&mut self, name: &str, packages: &[(&str, &[(&str, u64)])]) {
        let base = self.directory.path().join(name);
        let mut trees = Vec::new();
        for (number, (package, files)) in packages.iter().enumerate() {
            let tree = base.join(number.to_string());
            fs_err::create_dir_all(tree.join("root")).unwrap();
            for (path, size) in *files {
                let path = tree.join("root").join(path);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::File::create(path).unwrap().set_len(*size).unwrap();
            }
            trees.push(json!({"package": package, "path": tree}));
        }
        let request: LayerRequest = serde_json::from_value(json!({
            "schema_version": 1,
            "name": name,
            "trees": trees,
            "partition": {"max_blobs": 4, "alone_from_bytes": 1_000_000},
        }))
        .unwrap();
        let spec = build_spec(&request, NonZeroUsize::MIN, None).unwrap();
        let file = self.directory.path().join(format!("{name}.json"));
        fs_err::write(&file, serde_json::to_string(&spec).unwrap()).unwrap();
        self.layers.push(file);
    }

    /// Writes the description.
    pub(super) fn write(&self) -> PathBuf {
        let request: ImageRequest = serde_json::from_value(json!({
            "schema_version": 1,
            "name": "described",
            "tag": "1",
            "config": {"Cmd": ["true"]},
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:01Z",
            "layers": self.layers,
        }))
        .unwrap();
        let image = assemble(&request, None).unwrap();
        let file = self.directory.path().join("image.json");
        fs_err::write(&file, serde_json::to_string(&image).unwrap()).unwrap();
        file
    }
}

/// Three layers, one of them empty; a package with more files than are named; hostile names.
pub(super) fn described() -> Described {
    let many: Vec<(String, u64)> = (1..=60)
        .map(|number| (format!("usr/lib/many/{number:02}.bin"), number * 1000))
        .collect();
    let many: Vec<(&str, u64)> = many
        .iter()
        .map(|(path, size)| (path.as_str(), *size))
        .collect();
    let hostile: Vec<(&str, u64)> = HOSTILE
        .into_iter()
        .zip([50_000, 40_000, 30_000, 20_000, 10_000])
        .collect();
    let mut described = Described::new();
    described.layer(
        "01-low",
        &[
            (
                "large 1.0",
                &[("usr/lib/large.so", 2_500_000), ("etc/large", 7)],
            ),
            ("many 2.0", &many),
        ],
    );
    described.layer("02-none", &[]);
    described.layer(
        "03-high",
        &[
            ("<b>bold</b> 1", &hostile),
            ("small 0.1", &[("usr/lib/small.py", 12_345)]),
        ],
    );
    described
}
