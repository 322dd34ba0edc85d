{
  description = "Layer 10: Attention kernels: flash-attn, sageattention, nunchaku";

  inputs = {
    factory.url = "path:../../nix";
    previous = {
      url = "path:../09-sam";
      inputs.factory.follows = "factory";
    };
  };

  outputs =
    { factory, previous, ... }:
    let
      name = "10-performance";
      # The distributions of this layer that were compiled here.
      compiledOf =
        variant:
        builtins.intersectAttrs (builtins.groupBy (package: package.name) (
          variant.packageLists.ofLayer name
        )) variant.kernels;
      layer = factory.lib.mkLayerFlake {
        inherit name;
        inherit previous;
        # What was compiled for which architectures, for the checks.
        trees =
          { variant, ... }:
          variant.pythonEntries name
          ++ (
            if compiledOf variant == { } then
              [ ]
            else
              [
                {
                  package = "cuda-architectures";
                  path = "${variant.runCommand "cuda-architectures"
                    {
                      text = builtins.toJSON (builtins.mapAttrs (_: kernel: kernel.record) (compiledOf variant));
                      passAsFile = [ "text" ];
                    }
                    ''
                      directory=$out/root/usr/local/share/comfyui-boot
                      mkdir -p "$directory"
                      cp "$textPath" "$directory/cuda-architectures.json"
                    ''
                  }";
                }
              ]
          );
        config =
          variant:
          if compiledOf variant == { } then
            { }
          else
            {
              Labels."io.comfyui-boot.cuda-architectures" =
                builtins.concatStringsSep " " variant.cudaArchitectures;
            };
      };
    in
    # Names first: Nix resolves relative inputs through the flake's own outputs.
    {
      inherit (layer) layers packages;
    };
}
