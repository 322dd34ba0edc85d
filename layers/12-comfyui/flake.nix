{
  description = "Layer 12: ComfyUI with its requirements, and the final configuration";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../11-app";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      # The project's address is one setting of the workspace.
      address = (builtins.fromTOML (builtins.readFile ../../Cargo.toml)).workspace.package.repository;
      layer = factory.lib.mkLayerFlake {
        name = "12-comfyui";
        inherit previous;
        trees =
          { below, variant }:
          variant.pythonEntries "12-comfyui"
          ++ variant.comfyui.entries
          ++ [
            {
              package = "layer-12-files";
              path = "${variant.fileTree "layer-12-files" ./root}";
            }
            {
              package = "linker-cache";
              path = "${variant.linkerCache (
                builtins.concatMap (layer: map (entry: entry.path) below.${layer}) [
                  "01-base-cuda"
                  "02-python-tools"
                  "03-gcc15"
                ]
              )}";
            }
          ];
        config = variant: {
          # As in /etc/pip.conf, which uv does not read.
          Env.UV_CONSTRAINT = "/default-comfyui-bundle/constraints.txt";
          Labels = {
            "org.opencontainers.image.description" = variant.definition.description;
            "org.opencontainers.image.source" = address;
            "org.opencontainers.image.version" = variant.definition.tag;
            "io.comfyui-boot.omitted" = builtins.concatStringsSep " " variant.omitted;
            "io.comfyui-boot.omitted-sources" = if variant.definition ? omittedGit then "git" else "";
          };
        };
        isFinal = true;
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
