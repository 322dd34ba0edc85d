/**
  `package-lists/systems.toml`: the kinds of machine that images are for, and what Debian, OCI
  and the dynamic loader call each.

  Type: { root } -> { default, names, ofName }
*/
{ root }:
let
  file = builtins.fromTOML (builtins.readFile (root + "/package-lists/systems.toml"));
in
{
  inherit (file) default;
  names = builtins.attrNames file.system;

  /**
    One of them:

    - `name`: as Nix calls it, `aarch64-linux`;
    - `machine`: as GNU and wheels call it, `aarch64`;
    - `triplet`: after which Debian calls the directory of libraries, `aarch64-linux-gnu`;
    - `debian`, `loader`, `oci`: as in the file;
    - `isDefault`: its locks stand in `locks/` itself.
  */
  ofName =
    name:
    let
      machine = builtins.head (builtins.match "([^-]+)-linux" name);
    in
    file.system.${name}
    // {
      inherit machine name;
      triplet = "${machine}-linux-gnu";
      isDefault = name == file.default;
    };
}
