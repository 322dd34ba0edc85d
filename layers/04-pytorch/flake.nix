{
  description = "Layer 04: PyTorch, torchvision and torchaudio with CUDA 13.0";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../03-gcc15";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "04-pytorch";
        inherit previous;
        # The toolkit is layer 01's: torch finds it by these links, and its metadata makes
        # `pip check` hold (docs/design/D08-one-copy-of-cuda.md).
        trees =
          { variant, ... }:
          variant.pythonEntries "04-pytorch"
          ++ variant.cudaMetadataEntries
          ++ [
            {
              package = "nvidia-links";
              path = "${variant.runCommand "nvidia-links" { inherit (variant) sitePackages; } ''
                directory=$out/root$sitePackages/nvidia
                mkdir -p "$directory"
                ln -s /usr/local/cuda-13.0 "$directory/cu13"
                ln -s /usr/local/cuda-13.0 "$directory/cudnn"
              ''}";
            }
          ];
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
