{ root }:
let
  locks = import ../locks.nix { inherit root; };
  layers = builtins.attrNames (
    builtins.intersectAttrs (builtins.readDir (root + "/layers")) (builtins.readDir (root + "/layers"))
  );
  unknownLayers =
    name:
    builtins.filter (package: !builtins.elem package.layer layers) (
      locks.python.${name}.package or [ ]
    );
  # A package from git must not meet one of the same name from the index, as `ffmpy` would.
  namesOf =
    name:
    map (package: package.name) (
      builtins.concatMap (kind: locks.python.${name}.${kind} or [ ]) [
        "package"
        "git"
        "provided"
      ]
    );
  namedTwice =
    name:
    let
      byName = builtins.groupBy (package: package) (namesOf name);
    in
    builtins.filter (package: builtins.length byName.${package} > 1) (builtins.attrNames byName);
in
{
  "locks.everyNameOnce" = {
    expr = builtins.concatMap namedTwice (builtins.attrNames locks.variants);
    expected = [ ];
  };
  "locks.defaultVariantIsLocked" = {
    expr = builtins.hasAttr locks.defaultVariant locks.variants;
    expected = true;
  };
  "locks.everyLayerExists" = {
    expr = builtins.concatMap unknownLayers (builtins.attrNames locks.variants);
    expected = [ ];
  };
}
