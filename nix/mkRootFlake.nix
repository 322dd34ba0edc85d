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

  packagesOf =
    prefix: variantName:
    builtins.listToAttrs (
      map (layerName: {
        name = "${prefix}${layerName}";
        value = inputs.${layerName}.layers.${variantName}.package;
      }) layerNames
    );
  allVariants = builtins.attrNames variants;
  variantPackages = builtins.foldl' (
    packages: variantName: packages // packagesOf "${variantName}-" variantName
  ) { } allVariants;
  appsOf =
    prefix: variantName:
    let
      programs = apps final.layers.${variantName};
    in
    builtins.listToAttrs (
      map (name: {
        name = "${prefix}${name}";
        value = programs.${name};
      }) (builtins.attrNames programs)
    );
  comfyui = final.layers.${locks.defaultVariant}.package;
in
{
  packages.${system} =
    packagesOf "" locks.defaultVariant
    // variantPackages
    // {
      inherit comfyui;
      default = comfyui;
    };

  # For xtask: one evaluation gives every derivation of a variant.
  legacyPackages.${system}.factory = builtins.mapAttrs (_: layer: {
    inherit (layer) plan;
    # Architectures -> the plan with CUDA code for those.
    planFor = architectures: (layer.withArchitectures architectures).plan;
  }) final.layers;

  apps.${system} = builtins.foldl' (
    all: variantName: all // appsOf "${variantName}-" variantName
  ) (appsOf "" locks.defaultVariant) allVariants;
  # Neither may begin hours of source builds.
  checks.${system} = checks { ${locks.quickVariant} = final.layers.${locks.quickVariant}; };
  devShells.${system}.default = devShell final.layers.${locks.quickVariant};
}
