{
  description = "Layer 03: GCC 15 as the default compiler";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../02-python-tools";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "03-gcc15";
        inherit previous;
        trees = { variant, ... }: [
          {
            package = "debian-gcc15";
            path = "${variant.debian.gcc15}";
          }
        ];
        config = _: {
          Env = {
            CC = "gcc";
            CPP = "cpp";
            CXX = "g++";
          };
        };
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
