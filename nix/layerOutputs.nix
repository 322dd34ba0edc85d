/**
  The outputs of one layer's flake for one system, for every variant that is locked.

  Type: layerOutputs :: AttrSet -> String -> AttrSet
*/
{
  locks,
  # Variant -> its layers by name.
  variantLayers,
}:
# `05-pak3`.
name:
let
  ofVariants = builtins.mapAttrs (_: layers: layers.${name}) variantLayers;
in
{
  packages = builtins.mapAttrs (_: layer: layer.package) ofVariants // {
    default = ofVariants.${locks.defaultVariant}.package;
  };
}
