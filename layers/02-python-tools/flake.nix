{
  description = "Layer 02: CPython 3.14, its packaging tools, and what people use on a shell";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../01-base-cuda";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "02-python-tools";
        inherit previous;
        trees =
          { variant, ... }:
          [
            {
              package = "debian-tools";
              path = "${variant.debian.tools}";
            }
            {
              package = "cpython ${variant.lock.python}";
              path = "${variant.interpreter}";
            }
            {
              package = "layer-02-files";
              path = "${variant.fileTree "layer-02-files" ./root}";
            }
          ]
          ++ variant.pythonEntries "02-python-tools";
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
