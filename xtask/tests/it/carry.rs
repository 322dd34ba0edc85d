//! `carry`: what was slow comes back on a machine that lost it.

use crate::fixture::{Checkout, nix_program};

#[test]
fn ok_slow_builds_come_back() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.run(&["build", "02"]).ok();
    let carried = checkout.root().with_file_name("carried");
    let directory = carried.to_str().unwrap();
    checkout.run(&["carry", "restore", directory]).ok();
    // Nothing took a minute yet.
    let save = ["carry", "save", directory, "02", "--json"];
    let nothing = checkout.run(&save).ok().json();
    assert_eq!(nothing["paths"].as_array().unwrap().len(), 0);

    let times = checkout
        .root()
        .with_file_name("cache")
        .join("comfyui-image-factory/build-times.json");
    fs_err::write(&times, r#"{"numpy-2.4": 100.0, "layer01-low-image": 0.1}"#).unwrap();
    let saved = checkout.run(&save).ok().json();
    let paths = saved["paths"].as_array().unwrap();
    assert_eq!(paths.len(), 1);
    let path = paths[0].as_str().unwrap();
    assert!(path.ends_with("-numpy-2.4"), "{path}");

    let store = |arguments: &[&str]| {
        let mut command = nix_program("nix-store");
        command.args(arguments).arg(path).output().unwrap()
    };
    let deleted = store(&["--delete"]);
    assert!(deleted.status.success(), "{deleted:?}");
    assert!(!store(&["--check-validity"]).status.success());
    fs_err::remove_file(&times).unwrap();
    checkout.run(&["carry", "restore", directory]).ok();
    assert!(store(&["--check-validity"]).status.success());
    // The next `save` knows what is worth it.
    assert!(
        fs_err::read_to_string(&times)
            .unwrap()
            .contains("numpy-2.4")
    );
}
