/**
  A variant's lock, by name and by layer.

  Type: { gitSources, layers, lock } -> { byName, gitByName, ofLayer, providedByName, sets }
*/
{
  # The parsed `package-lists/locks/python/VARIANT.toml`.
  lock,
  # Git trees by name, of `package-lists/locks/sources.toml`.
  gitSources,
  # `layers.nix`.
  layers,
}:
let
  packages = lock.package or [ ];
  # The lock has no version of a git tree, and its metadata is not known before it is built.
  git = map (
    package:
    package
    // {
      kind = "git";
      version = builtins.substring 0 12 gitSources.${package.name}.rev;
    }
  ) (lock.git or [ ]);
  provided = lock.provided or [ ];

  byLayer = builtins.groupBy (package: package.layer) (packages ++ git ++ provided);
  ofLayer = layer: byLayer.${layer} or [ ];
  # Of the layer that a list feeds.
  ofList = list: ofLayer (layers.layerOfList list);
  byName = import ./byName.nix;
in
{
  inherit ofLayer;

  byName = byName packages;
  gitByName = byName git;
  providedByName = byName provided;

  /**
    The sets with known names: `nix build .#slim.pak3.numpy`.
  */
  sets = {
    pak3 = import ./pak3.nix { inherit ofList; };
    pak5 = import ./pak5.nix { inherit ofList; };
    pak7 = import ./pak7.nix { inherit ofList; };
  };
}
