{
  description = "Layer 09: Segment Anything 2 and 3";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../08-pak7";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "09-sam";
        inherit previous;
        trees = { variant, ... }: variant.pythonEntries "09-sam";
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
