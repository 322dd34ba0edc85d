{
  description = "Layer 11: Builder and runner scripts, and the bundle's directories";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../10-performance";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      layer = factory.lib.mkLayerFlake {
        name = "11-app";
        inherit previous;
        trees = { variant, ... }: [
          {
            package = "layer-11-files";
            path = "${variant.fileTree "layer-11-files" ./root}";
          }
          variant.comfyui.revisionEntry
        ];
        config = _: {
          Cmd = [
            "bash"
            "/runner-scripts/entrypoint.sh"
          ];
          Env = {
            CLI_ARGS = "";
            PYTHONPYCACHEPREFIX = "/root/.cache/pycache";
          };
          ExposedPorts = {
            "8188/tcp" = { };
          };
          Volumes = {
            "/root" = { };
          };
          WorkingDir = "/root";
        };
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
