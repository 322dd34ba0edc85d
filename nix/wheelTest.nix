/**
  Compares trees of wheels with what PyPA's `installer` writes. It fails when one differs in a
  path, a byte or an executable bit.

  Type: wheelTest :: { inPython, installer, locks, sources, unpackWheel } -> AttrSet
*/
{
  inPython,
  # Fixed output of the `installer` wheel.
  installer,
  locks,
  sources,
  unpackWheel,
}:
let
  test =
    title: name: packages:
    let
      pythonDirectory =
        if builtins.match ".*t" locks.python.${name}.python != null then "python3.14t" else "python3.14";
      # Without links to other packages: installer knows of none.
      tree =
        package:
        unpackWheel {
          pname = package.name;
          inherit (package) version;
          inherit pythonDirectory;
          wheel = sources.pypiFile package;
        };
    in
    inPython {
      name = "${title}-of-${name}";
      script = ./scripts/compare-wheels.py;
      env = {
        inherit installer pythonDirectory;
        wheels = map sources.pypiFile packages;
        trees = map tree packages;
      };
    };
  wheelsOf = name: builtins.filter (package: package.kind == "wheel") locks.python.${name}.package;
in
{
  /**
    The smaller wheels of the quick variant, for each `nix flake check`: the image has these
    very trees.
  */
  quick = test "small-wheels" locks.quickVariant (
    builtins.filter (package: package.size <= 1000000) (wheelsOf locks.quickVariant)
  );

  /**
    Every wheel of each variant: `nix build .#wheel-test.slim` takes some minutes, and as much
    disk as the variant's wheels unpacked.
  */
  whole = builtins.mapAttrs (name: _: test "wheels" name (wheelsOf name)) locks.variants;
}
