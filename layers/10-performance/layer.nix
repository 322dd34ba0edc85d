let
  # The distributions of this layer that were compiled here.
  compiledOf =
    name: variant:
    builtins.intersectAttrs (builtins.groupBy (package: package.name) (
      builtins.filter (package: package.kind or null != "wheel") (variant.packageLists.ofLayer name)
    )) variant.kernels;
in
{
  # What was compiled for which architectures, for the checks.
  trees =
    { name, variant, ... }:
    variant.listEntries name
    ++ (
      if compiledOf name variant == { } then
        [ ]
      else
        [
          {
            package = "cuda-architectures";
            path = "${variant.runCommand "cuda-architectures"
              {
                text = builtins.toJSON (builtins.mapAttrs (_: kernel: kernel.record) (compiledOf name variant));
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
    { name, variant }:
    if compiledOf name variant == { } then
      { }
    else
      {
        Labels."io.comfyui-boot.cuda-architectures" =
          builtins.concatStringsSep " " variant.cudaArchitectures;
      };
}
