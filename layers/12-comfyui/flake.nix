{
  description = "Layer 12: ComfyUI with its requirements, and the final configuration";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
