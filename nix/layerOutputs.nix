/**
  The outputs of one layer's flake, for every variant that is locked.

  Type: layerOutputs :: AttrSet -> String -> AttrSet
*/
{
  locks,
  system,
  # Variant -> its layers by name.
  variantLayers,
}:
# `05-pak3`.
name:
let
  ofVariants = builtins.mapAttrs (_: layers: layers.${name}) variantLayers;
in
{
  layers = ofVariants;
  packages.${system} = builtins.mapAttrs (_: layer: layer.package) ofVariants // {
    default = ofVariants.${locks.defaultVariant}.package;
  };
}
