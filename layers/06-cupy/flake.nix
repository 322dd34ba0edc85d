{
  description = "Layer 06: CuPy";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
