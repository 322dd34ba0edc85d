/**
  A variant's lock, by name and by layer.

  Type: { lock } -> { byName, ofLayer, pak3, pak5, pak7 }
*/
{
  # The parsed `package-lists/locks/python/VARIANT.toml`.
  lock,
}:
let
  packages = lock.package or [ ];
  byLayer = builtins.groupBy (package: package.layer) packages;
  ofLayer = layer: byLayer.${layer} or [ ];
in
{
  inherit ofLayer;

  byName = builtins.listToAttrs (
    map (package: {
      inherit (package) name;
      value = package;
    }) packages
  );

  pak3 = import ./pak3.nix { inherit ofLayer; };
  pak5 = import ./pak5.nix { inherit ofLayer; };
  pak7 = import ./pak7.nix { inherit ofLayer; };
}
