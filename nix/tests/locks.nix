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
in
{
  "locks.defaultVariantIsLocked" = {
    expr = builtins.hasAttr locks.defaultVariant locks.variants;
    expected = true;
  };
  "locks.everyLayerExists" = {
    expr = builtins.concatMap unknownLayers (builtins.attrNames locks.variants);
    expected = [ ];
  };
}
