//! Large packages lie below the groups of all layers, and no file of the root is another for it.

use std::collections::BTreeMap;

use comfy_image::image::Image;
use comfy_image::layer::LayerSpec;
use comfy_image::{Replacement, Stacking};

use crate::fixture::{Store, Tree, blob_bytes, members, request_cut};

const LARGE: u64 = 20_000;

fn cut(name: &str, trees: &[&Tree]) -> LayerSpec {
    let request = request_cut(name, trees, 4, LARGE);
    comfy_image::spec::build_spec(&request, std::num::NonZeroUsize::MIN, None).unwrap()
}

fn large(store: &Store, package: &str, path: &str) -> Tree {
    store.tree(package).file(path, vec![b'x'; 30_000])
}

/// Two layers with large and small packages; a large one of the upper layer replaces a file of a
/// small one below it, and that is declared.
fn layers(store: &Store, version: &str) -> Vec<LayerSpec> {
    let small = store
        .tree(&format!("small {version}"))
        .file("lib/small", version)
        .file("etc/index", "of the lower layer");
    let torch = large(store, "torch 2", "lib/torch");
    let other = store.tree("other 1").file("lib/other", "");
    let frontend = large(store, "frontend 3", "lib/frontend");
    let kernels = large(store, "kernels 1", "lib/kernels").file("etc/index", "of the upper layer");
    vec![
        cut("01-low", &[&small, &torch]),
        cut("02-high", &[&other, &frontend, &kernels]),
    ]
}

fn declared() -> Vec<Replacement> {
    vec![Replacement {
        paths: vec!["etc/index".to_owned()],
        packages: vec!["small".to_owned(), "kernels".to_owned()],
        reason: "an index of both".to_owned(),
    }]
}

/// All layers are foundation up to that one.
fn above(foundation: &str) -> Option<Stacking> {
    Some(Stacking {
        large_from_bytes: LARGE,
        foundation: foundation.parse().unwrap(),
    })
}

fn names(image: &Image) -> Vec<String> {
    let blobs = image.stacked();
    blobs
        .map(|(layer, blob)| format!("{}: {}", layer.name, blob.trees[0].package))
        .collect()
}

/// The files of all blobs, applied in the order that an engine gets.
fn root(specs: &[LayerSpec], image: &Image) -> BTreeMap<String, Vec<u8>> {
    let mut root = BTreeMap::new();
    for (layer, blob) in image.stacked() {
        let spec = specs.iter().find(|spec| spec.name == layer.name).unwrap();
        let number = spec.blobs.iter().position(|other| other == blob).unwrap();
        root.extend(members(&blob_bytes(spec, number)));
    }
    root
}

#[test]
fn ok_large_packages_lie_below_the_others() {
    let store = Store::new();
    let specs = layers(&store, "1");
    let flat = store.try_stacked(&specs, declared(), None).unwrap();
    assert_eq!(
        names(&flat),
        [
            "01-low: torch 2",
            "01-low: small 1",
            "02-high: frontend 3",
            "02-high: kernels 1",
            "02-high: other 1"
        ]
    );
    let stacked = store
        .try_stacked(&specs, declared(), above("09-none"))
        .unwrap();
    // What may replace a file keeps its place above what it replaces.
    assert_eq!(
        names(&stacked),
        [
            "01-low: torch 2",
            "02-high: frontend 3",
            "01-low: small 1",
            "02-high: kernels 1",
            "02-high: other 1"
        ]
    );
    assert_eq!(root(&specs, &flat), root(&specs, &stacked));
    // A foundation keeps what stands on it above all of its own.
    let founded = store
        .try_stacked(&specs, declared(), above("01-low"))
        .unwrap();
    assert_eq!(names(&founded), names(&flat));
    assert_eq!(
        root(&specs, &stacked)["etc/index"],
        b"of the upper layer".to_vec()
    );
}

#[test]
fn ok_configuration_manifest_and_history_follow() {
    let store = Store::new();
    let specs = layers(&store, "1");
    let stacked = store.try_stacked(&specs, declared(), above("09-none"));
    let stacked = stacked.unwrap();
    let diff_ids: Vec<String> = stacked
        .blobs()
        .map(|blob| blob.diff_id.to_string())
        .collect();
    let config: serde_json::Value = serde_json::from_str(&stacked.config.json).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!(diff_ids));
    let history: Vec<&str> = config["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["created_by"].as_str().unwrap())
        .collect();
    assert_eq!(
        history,
        [
            "layer 01-low (1 of 2)",
            "layer 02-high (1 of 3)",
            "layer 01-low (2 of 2)",
            "layer 02-high (2 of 3)",
            "layer 02-high (3 of 3)"
        ]
    );
    let manifest: serde_json::Value = serde_json::from_str(&stacked.manifest.json).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    assert!(
        layers
            .map(|layer| layer["digest"].as_str().unwrap())
            .eq(diff_ids)
    );
}

#[test]
fn ok_a_change_of_a_small_package_leaves_all_large_ones_below_it() {
    let n_same = |stacking: &Option<Stacking>| {
        let [old, new] = ["1", "2"].map(|version| {
            let store = Store::new();
            let specs = layers(&store, version);
            store
                .try_stacked(&specs, declared(), stacking.clone())
                .unwrap()
        });
        let blobs = old.blobs().zip(new.blobs());
        blobs
            .take_while(|(old, new)| old.diff_id == new.diff_id)
            .count()
    };
    assert_eq!(n_same(&above("09-none")), 2);
    // In the order of the layers it is one.
    assert_eq!(n_same(&None), 1);
}

#[test]
fn err_an_order_that_lacks_a_blob() {
    let store = Store::new();
    let specs = layers(&store, "1");
    let image = store
        .try_stacked(&specs, declared(), above("09-none"))
        .unwrap();
    let path = store.path().join("image.json");
    let read = |image: &Image| {
        comfy_image::write_json("image", &path, image).unwrap();
        Image::read(&path, None).map(|image| image.blobs().count())
    };
    assert_eq!(read(&image).unwrap(), 5);
    let reason = "its order does not name each blob of its layers once";
    for change in [
        |image: &mut Image| image.order[0] = image.order[1],
        |image: &mut Image| image.order[0].layer = 7,
        |image: &mut Image| image.order[0].blob = usize::MAX,
        |image: &mut Image| image.order.truncate(4),
    ] {
        let mut wrong = image.clone();
        change(&mut wrong);
        assert!(read(&wrong).unwrap_err().to_string().contains(reason));
    }
    // Another order is one that the configuration does not name.
    let mut wrong = image.clone();
    wrong.order.swap(0, 1);
    assert!(
        read(&wrong)
            .unwrap_err()
            .to_string()
            .contains("does not name the blobs")
    );
    // One that was written before there was an order has the layers'.
    let mut old = store.try_stacked(&specs, declared(), None).unwrap();
    old.order.clear();
    assert_eq!(read(&old).unwrap(), 5);
}
