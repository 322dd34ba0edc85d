{
  description = "Layer 03: GCC 15 as the default compiler";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
