{
  # The toolkit is layer 01's: torch finds it by these links, and its metadata makes
  # `pip check` hold (docs/design/D08-one-copy-of-cuda.md).
  trees =
    { name, variant, ... }:
    variant.listEntries name
    ++ [
      {
        package = "nvidia-links";
        path = "${variant.runCommand "nvidia-links" { inherit (variant) sitePackages; } ''
          directory=$out/root$sitePackages/nvidia
          mkdir -p "$directory"
          ln -s /usr/local/cuda-13.0 "$directory/cu13"
          ln -s /usr/local/cuda-13.0 "$directory/cudnn"
        ''}";
      }
    ];
}
