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
      layer = factory.lib.mkLayerFlake {
        name = "12-comfyui";
        inherit previous;
        trees =
          { below, variant }:
          variant.pythonEntries "12-comfyui"
          ++ [
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
          Labels = {
            "org.opencontainers.image.description" = variant.definition.description;
            "org.opencontainers.image.source" =
              "https://github.com/comfyui-image-factory/comfyui-image-factory";
            "org.opencontainers.image.version" = variant.definition.tag;
            "io.comfyui-boot.omitted" = builtins.concatStringsSep " " variant.omitted;
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
