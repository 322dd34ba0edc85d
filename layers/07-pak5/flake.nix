{
  description = "Layer 07: Extended libraries";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../06-cupy";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "07-pak5";
        inherit previous;
        trees = { variant, ... }: variant.pythonEntries "07-pak5";
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
