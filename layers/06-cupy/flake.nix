{
  description = "Layer 06: CuPy";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../05-pak3";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "06-cupy";
        inherit previous;
        trees = { variant, ... }: variant.pythonEntries "06-cupy";
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
