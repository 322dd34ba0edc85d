{
  description = "Layer 05: Core ML essentials";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../04-pytorch";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "05-pak3";
        inherit previous;
        trees = { variant, ... }: variant.pythonEntries "05-pak3";
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
