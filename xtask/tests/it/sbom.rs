//! `sbom`: the documents of the command line. What is in them is tested in `factory-origin`.

use crate::fixture::Checkout;

#[test]
fn ok_before_and_after_a_build() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    checkout.write_locks();
    let before = checkout.run(&["sbom", "--format", "cyclonedx"]).ok();
    assert!(
        before
            .stderr
            .contains("`cargo xtask build layer02 --variant tiny`"),
        "{}",
        before.stderr
    );
    let bom = before.json();
    let names: Vec<&str> = bom["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["no-such-thing", "pip"]);
    assert_eq!(bom["metadata"]["component"]["name"], "xtask-fixture");

    checkout.run(&["build"]).ok();
    let after = checkout.run(&["sbom", "--format", "cyclonedx"]).ok();
    assert!(!after.stderr.contains("warning"), "{}", after.stderr);
    // Nothing of the fixture states a licence.
    assert_eq!(after.stdout, before.stdout);

    let file = checkout.root().join("new/sbom.spdx.json");
    let written = checkout
        .run(&["sbom", "01", "--output", file.to_str().unwrap()])
        .ok();
    assert_eq!(written.stdout, "");
    assert!(
        written
            .stderr
            .contains("2 packages, 2 of them without a licence"),
        "{}",
        written.stderr
    );
    let document: serde_json::Value = serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap();
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
}

#[test]
fn err_without_a_lock() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ran = checkout.run(&["sbom"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no lock `"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`cargo xtask update-locks`"),
        "{}",
        ran.stderr
    );
}
