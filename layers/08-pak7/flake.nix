{
  description = "Layer 08: Face analysis and packages from git";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../07-pak5";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "08-pak7";
        inherit previous;
        trees = { variant, ... }: variant.pythonEntries "08-pak7";
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
