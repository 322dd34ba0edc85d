/**
  The outputs of the root flake, from the layer flakes among its inputs.

  Names of packages and apps without a variant are the default variant's: `layer04-pytorch`;
  any variant's have it in front: `slim-layer04-pytorch`.

  Type: mkRootFlake :: AttrSet -> AttrSet -> AttrSet
*/
{
  apps,
  checks,
  devShell,
  locks,
  system,
  variants,
}:
# The inputs of the root flake.
inputs:
let
  layerNames = builtins.filter (name: builtins.match "layer[0-9]{2}-.*" name != null) (
    builtins.attrNames inputs
  );
  final = inputs."layer12-comfyui";

  # A set's attributes for every variant, with its name in front, and the default's as they are.
  ofEveryVariant =
    setOf:
    let
      named =
        variantName:
        let
          set = setOf variantName;
        in
        builtins.listToAttrs (
          map (name: {
            name = "${variantName}-${name}";
            value = set.${name};
          }) (builtins.attrNames set)
        );
    in
    builtins.foldl' (all: variantName: all // named variantName) (setOf locks.defaultVariant) (
      builtins.attrNames variants
    );
  packagesOf =
    variantName:
    builtins.listToAttrs (
      map (layerName: {
        name = layerName;
        value = inputs.${layerName}.layers.${variantName}.package;
      }) layerNames
    );
  comfyui = final.layers.${locks.defaultVariant}.package;
in
{
  packages.${system} = ofEveryVariant packagesOf // {
    inherit comfyui;
    default = comfyui;
  };

  # For xtask: one evaluation gives every derivation of a variant.
  legacyPackages.${system}.factory = builtins.mapAttrs (_: layer: {
    inherit (layer) plan;
    # Architectures -> the plan with CUDA code for those.
    planFor = architectures: (layer.withArchitectures architectures).plan;
  }) final.layers;

  apps.${system} = ofEveryVariant (variantName: apps final.layers.${variantName});
  # Neither may begin hours of source builds.
  checks.${system} = checks { ${locks.quickVariant} = final.layers.${locks.quickVariant}; };
  devShells.${system}.default = devShell final.layers.${locks.quickVariant};
}
