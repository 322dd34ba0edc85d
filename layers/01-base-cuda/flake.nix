{
  description = "Layer 01: Debian base, CUDA toolkit 13.0 and cuDNN, build tools, media libraries";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
