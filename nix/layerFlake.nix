/**
  The outputs of one layer's flake: the image of it and the layers below, for every variant.

  Type: layerFlake :: Path -> AttrSet
*/
# The layer's directory.
directory:
import ./everySystem.nix { root = ../.; } [ "packages" ] (
  factory: factory.layerFlake (baseNameOf directory)
)
