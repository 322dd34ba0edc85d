{
  description = "Layer 10: Attention kernels: flash-attn, sageattention, nunchaku";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../09-sam";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "10-performance";
        inherit previous;
        trees = { variant, ... }: variant.pythonEntries "10-performance";
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
