{
  description = "Layer 04: PyTorch, torchvision and torchaudio with CUDA 13.0";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
