{
  description = "Layer 10: Attention kernels: flash-attn, sageattention, nunchaku";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
