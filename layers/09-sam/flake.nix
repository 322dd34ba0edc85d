{
  description = "Layer 09: Segment Anything 2 and 3";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
