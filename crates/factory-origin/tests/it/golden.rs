//! Both forms of a bill of materials, byte for byte, from locks with one of everything. The CI
//! shows the same files to the validators of SPDX and CycloneDX.

use std::collections::BTreeMap;
use std::path::Path;

use factory_model::layer::LayerName;
use factory_model::layers::Layers;
use factory_model::lock::{DebianLock, PythonLock, SourcesLock};
use factory_origin::{Inventory, Licence, Licences, Locks, Project, cyclonedx, spdx};

/// Set to write the files instead of comparing them.
const UPDATE: &str = "FACTORY_UPDATE_GOLDEN";

const LAYERS: &str = r#"
schema_version = 1
cuda = "01-base"
cuda_metadata = "02-tools"
layers = [
  { name = "01-base", lists = ["cuda.txt"], debian = "base", stage = "s" },
  { name = "02-tools", lists = ["python-tools.txt"], debian = "tools", stage = "s" },
  { name = "03-app", lists = ["nodes.txt"], debian = "app", stage = "s" },
]
"#;

const PYTHON: &str = r#"
schema_version = 1
python = "cp314t"
list_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[[package]]
name = "torch"
version = "2.11.0+cu130"
layer = "02-tools"
requested = true
kind = "wheel"
file = "torch-2.11.0+cu130-cp314-cp314t-manylinux_2_28_x86_64.whl"
size = 1
sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
url = "https://wheels.example.org/torch-2.11.0%2Bcu130-cp314-cp314t-manylinux_2_28_x86_64.whl"
dependencies = ["nvidia-cublas", "numpy-like"]

[[package]]
name = "nvidia-cublas"
version = "13.1.0.3"
layer = "01-base"
kind = "wheel"
file = "nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl"
sha256 = "2222222222222222222222222222222222222222222222222222222222222222"

[[package]]
name = "iopath"
version = "0.1.10"
layer = "03-app"
kind = "sdist"
file = "iopath-0.1.10.tar.gz"
sha256 = "3333333333333333333333333333333333333333333333333333333333333333"
dependencies = ["torch", "clip"]

[[git]]
name = "clip"
layer = "03-app"
dependencies = ["torch"]

[[bundle]]
name = "some-node"
layer = "03-app"

[[provided]]
name = "numpy-like"
version = "0.1.10"
layer = "03-app"
by = "nvidia-cublas"
"#;

const SOURCES: &str = r#"
schema_version = 1

[tarball.cpython]
version = "3.14.5"
file = "Python-3.14.5.tar.xz"
size = 1
sha256 = "4444444444444444444444444444444444444444444444444444444444444444"
origins = [{ registry = "url", url = "https://www.python.org/ftp/python/3.14.5/Python-3.14.5.tar.xz" }]

[git.clip]
url = "https://github.com/openai/CLIP"
rev = "d05afc436d78f1c48dc0dbf8e5980a9d471f35f6"
nar_hash = "sha256-eD9qjdaSmT63PQvcqKcFG9lxj3XDcnXtN5n9MJjGk3s="
kind = "python"

[git.some-node]
url = "https://git.example.org/nodes/some-node.git"
rev = "72865f4f27eaf5396f8f36370e0a2be3a9a090ee"
nar_hash = "sha256-r6amApYXBjfE8+UvhiJ/7VcUibd4kd5i+JLPXxo8H9w="
kind = "custom-node"
install_dir = "some-node"

[weights.taesd]
url = "https://github.com/madebyollin/taesd/raw/5cccb12dc72074a4be35680c3b108548a7c69978"
directory = "vae_approx"
files = { "taesd_decoder.pth" = "sha256-Aoczd8P0ZZzZ+a2y9xjctDS6THu6OvPue7lcvavi088=" }
"#;

const DEBIAN: &str = r#"
schema_version = 1
list_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
snapshot = "20261030T200801Z"

[[package]]
name = "g++-15"
version = "1:15.3.0-4~deb13"
archive = "debian"
path = "pool/main/g/gcc-15/g++-15_15.3.0-4~deb13_amd64.deb"
size = 1
sha256 = "5555555555555555555555555555555555555555555555555555555555555555"

[[package]]
name = "tzdata"
version = "2026b-0+deb13u1"
archive = "debian"
path = "pool/main/t/tzdata/tzdata_2026b-0+deb13u1_all.deb"
size = 1
sha256 = "6666666666666666666666666666666666666666666666666666666666666666"
"#;

fn inventory(up_to: &str, without_git: bool) -> Inventory {
    let layers = Layers::parse(LAYERS).unwrap();
    let python: PythonLock = toml::from_str(PYTHON).unwrap();
    let sources: SourcesLock = toml::from_str(SOURCES).unwrap();
    let base: DebianLock = toml::from_str(DEBIAN).unwrap();
    let debian = BTreeMap::from([("01-base".parse::<LayerName>().unwrap(), base)]);
    let licence =
        |name: &str, version: &str, licence| ((name.to_owned(), version.to_owned()), licence);
    let licences = Licences {
        python: BTreeMap::from([
            licence(
                "torch",
                "2.11.0+cu130",
                Licence::Expression("BSD-3-Clause".to_owned()),
            ),
            licence(
                "nvidia-cublas",
                "13.1.0.3",
                Licence::Expression("LicenseRef-NVIDIA-Proprietary".to_owned()),
            ),
            licence("iopath", "0.1.10", Licence::Named("BSD License".to_owned())),
            licence(
                "clip",
                "d05afc436d78",
                Licence::Expression("MIT".to_owned()),
            ),
        ]),
        debian: BTreeMap::from([(
            "g++-15".to_owned(),
            Licence::Expression("GPL-3.0-or-later AND LicenseRef-debian-GFDL-NIV".to_owned()),
        )]),
    };
    let locks = Locks {
        layers: &layers,
        python: &python,
        sources: &sources,
        debian: &debian,
        without_git,
    };
    let project = Project {
        address: "https://example.org/factory".to_owned(),
        version: "1.2.3".to_owned(),
    };
    Inventory::new(
        project,
        "comfyui-boot",
        "cu130-test",
        &up_to.parse().unwrap(),
        &locks,
        &licences,
    )
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is not what is made now: write it with `{UPDATE}=1 cargo test -p factory-origin`",
        path.display()
    );
}

#[test]
fn ok_golden_spdx() {
    let document = spdx::Document::new(&inventory("03-app", false));
    compare("everything.spdx.json", &document.text().unwrap());
}

#[test]
fn ok_golden_cyclonedx() {
    let bom = cyclonedx::Bom::new(&inventory("03-app", false));
    compare("everything.cdx.json", &bom.text().unwrap());
}

fn names(inventory: &Inventory) -> Vec<&str> {
    inventory
        .components
        .iter()
        .map(|one| one.name.as_str())
        .collect()
}

#[test]
fn ok_a_lower_image_has_less() {
    let base = inventory("01-base", false);
    assert_eq!(names(&base), ["g++-15", "tzdata", "nvidia-cublas"]);
    assert_eq!(base.n_without_licence(), 1);
    // What is above is no dependency of anything here.
    let tools = inventory("02-tools", false);
    let torch = tools
        .components
        .iter()
        .find(|one| one.name == "torch")
        .unwrap();
    let needed: Vec<&str> = torch
        .dependencies
        .iter()
        .map(|purl| purl.as_str())
        .collect();
    assert_eq!(needed, ["pkg:pypi/nvidia-cublas@13.1.0.3"]);
}

#[test]
fn ok_without_git_nothing_comes_from_git() {
    let all = inventory("03-app", true);
    assert_eq!(
        names(&all),
        [
            "g++-15",
            "tzdata",
            "nvidia-cublas",
            "torch",
            "cpython",
            "iopath",
            "comfy-start"
        ]
    );
}

/// One document has one name, and another content another.
#[test]
fn ok_names_follow_from_the_content() {
    let serial = |inventory: &Inventory| {
        let text = cyclonedx::Bom::new(inventory).text().unwrap();
        let bom: serde_json::Value = serde_json::from_str(&text).unwrap();
        bom["serialNumber"].as_str().unwrap().to_owned()
    };
    let one = inventory("03-app", false);
    assert_eq!(serial(&one), serial(&inventory("03-app", false)));
    let mut other = one.clone();
    other.components[0].licence = Licence::Unknown;
    assert_ne!(serial(&one), serial(&other));
}
