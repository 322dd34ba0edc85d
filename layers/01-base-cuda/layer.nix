{
  trees =
    { name, variant, ... }:
    [
      (variant.debianEntry "base")
      {
        package = "layer-01-files";
        path = "${variant.fileTree "layer-01-files" ./root}";
      }
    ]
    ++ variant.listEntries name
    ++ [
      {
        package = "cuda-links";
        path = "${variant.runCommand "cuda-links" {
          cudaTrees = map (entry: entry.path) (variant.listEntries name);
        } (builtins.readFile ./cuda-links.sh)}";
      }
    ];

  config =
    { variant, ... }:
    {
      Env = {
        CUDA_HOME = "/usr/local/cuda-13.0";
        LANG = "C.UTF-8";
        LD_LIBRARY_PATH = "/usr/local/cuda-13.0/lib64";
        NVIDIA_DRIVER_CAPABILITIES = "all";
        NVIDIA_VISIBLE_DEVICES = "all";
        PATH = "/usr/local/cuda-13.0/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
      };
      Cmd = [ "bash" ];
      Labels = {
        "org.opencontainers.image.title" = "comfyui-boot";
        "org.opencontainers.image.licenses" = "Apache-2.0";
        "io.comfyui-boot.variant" = variant.name;
      };
    };
}
