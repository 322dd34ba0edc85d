/**
  The outputs of the root flake for one system.

  Names of packages and apps without a variant are the default variant's: `layer04-pytorch`;
  any variant's have it in front: `slim-layer04-pytorch`.

  Type: AttrSet -> AttrSet
*/
{
  apps,
  checks,
  devShell,
  layers,
  locks,
  mkLayers,
  # Variant -> its layers by name.
  variantLayers,
  variants,
  # Variant -> a comparison of all its wheels' trees with what PyPA's installer writes.
  wheelTests,
}:
let
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
        name = "layer${layerName}";
        value = variantLayers.${variantName}.${layerName}.package;
      }) layers.names
    );
  finals = builtins.mapAttrs (_: layersOfVariant: layersOfVariant.${layers.final}) variantLayers;
  comfyui = finals.${locks.defaultVariant}.package;
in
{
  packages = ofEveryVariant packagesOf // {
    inherit comfyui;
    default = comfyui;
  };

  legacyPackages = {
    # For xtask: one evaluation gives every derivation of a variant.
    factory = builtins.mapAttrs (variantName: variant: {
      inherit (finals.${variantName}) plan;
      # A file for `nix/profiles` (docs/design/D06-cpython-without-the-gil.md).
      inherit (variant) interpreterProfile;
      # Architectures -> the plan with CUDA code for those.
      planFor = architectures: (mkLayers (variant.withArchitectures architectures)).${layers.final}.plan;
    }) variants;
    wheel-test = wheelTests;
  }
  # The package sets by their known names: `nix build .#slim.pak3.numpy`.
  // builtins.mapAttrs (_: variant: variant.packageSets) variants;

  apps = ofEveryVariant (variantName: apps finals.${variantName});
  # Neither may begin hours of source builds.
  checks = checks { ${locks.quickVariant} = finals.${locks.quickVariant}; };
  devShells.default = devShell finals.${locks.quickVariant};
}
