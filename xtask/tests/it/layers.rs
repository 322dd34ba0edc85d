//! A layer is a directory and one line of `layers/layers.toml`.

use crate::checkout_copy::Copy;
use crate::support::shared_nix;

const FLAKE: &str = "{
  description = \"Layer 13: one file\";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
";
const LAYER: &str = "{
  trees =
    { variant, ... }:
    [
      {
        package = \"layer-13-files\";
        path = \"${variant.fileTree \"layer-13-files\" ./root}\";
      }
    ];

  config = _: { Env.EXTRA = \"1\"; };
}
";

/// Writes the directory of a new layer.
fn add_directory(copy: &Copy) {
    copy.write("layers/13-extra/flake.nix", FLAKE);
    copy.write("layers/13-extra/layer.nix", LAYER);
    copy.write("layers/13-extra/root/etc/extra", "extra\n");
}

/// Writes the line of a new layer.
fn add_line(copy: &Copy) {
    let text = copy.read("layers/layers.toml");
    let (lines, end) = text.rsplit_once(']').unwrap();
    let line = "  { name = \"13-extra\", stage = \"final\" },\n";
    copy.write("layers/layers.toml", &format!("{lines}{line}]{end}"));
}

#[test]
fn ok_a_layer_is_a_directory_and_a_line() {
    if shared_nix().is_none() {
        return;
    }
    let copy = Copy::new();
    let plan = ".#legacyPackages.x86_64-linux.factory.slim.plan";
    let before = copy.nix(&["eval", "--json", plan]).ok().json();
    add_directory(&copy);
    add_line(&copy);

    let after = copy.nix(&["eval", "--json", plan]).ok().json();
    let layers = after["layers"].as_array().unwrap();
    let [below @ .., last] = layers.as_slice() else {
        panic!("no layers")
    };
    assert_eq!(last["name"], "13-extra");
    assert_eq!(before["reference"], after["reference"]);
    // What the layers below hold is what it was.
    let specs = |layers: &[serde_json::Value]| -> Vec<serde_json::Value> {
        layers.iter().map(|layer| layer["spec"].clone()).collect()
    };
    assert_eq!(specs(before["layers"].as_array().unwrap()), specs(below));

    let own = copy
        .nix(&["eval", "--raw", "./layers/13-extra#slim.drvPath"])
        .ok();
    assert!(own.stdout.contains("13-extra"), "{}", own.stdout);
    let package = ".#slim-layer13-extra.drvPath";
    assert_eq!(
        copy.nix(&["eval", "--raw", package]).ok().stdout,
        own.stdout
    );

    let status = copy.xtask(&["status", "--variant", "slim"]).ok();
    assert!(status.stdout.contains("13-extra"), "{}", status.stdout);
    let arguments = ["build", "layer13", "--variant", "slim", "--dry-run"];
    let build = copy.xtask(&arguments).ok();
    assert!(build.stdout.contains("layer-13-files"), "{}", build.stdout);
    assert_eq!(
        copy.xtask(&["build", "--variant", "slim", "--dry-run"])
            .ok()
            .stdout,
        build.stdout
    );
}

#[test]
fn err_a_directory_without_its_line() {
    let copy = Copy::new();
    add_directory(&copy);
    let error = factory_resolve::layers(&copy.sandbox.ctx).unwrap_err();
    assert_eq!(
        factory_base::error::kind_of(&error),
        factory_base::error::Kind::BadInput
    );
    assert_eq!(
        error.to_string(),
        "the directory `layers/13-extra` is no layer: `layers/layers.toml` does not name it"
    );
}

#[test]
fn err_a_line_without_its_directory() {
    let copy = Copy::new();
    add_line(&copy);
    let error = factory_resolve::layers(&copy.sandbox.ctx).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`layers/layers.toml` names `13-extra`, but there is no directory `layers/13-extra`"
    );
}
