{
  description = "Layer 07: Extended libraries";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
