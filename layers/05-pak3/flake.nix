{
  description = "Layer 05: Core ML essentials";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
