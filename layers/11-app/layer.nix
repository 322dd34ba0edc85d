{
  trees =
    { variant, ... }:
    [
      {
        package = "layer-11-files";
        path = "${variant.fileTree "layer-11-files" ./root}";
      }
      {
        package = "comfy-start";
        path = "${variant.comfyStart}";
      }
      (variant.debianEntry "app")
      {
        package = "apt-sources";
        path = "${variant.aptSources}";
      }
      variant.comfyui.homeEntry
      variant.comfyui.revisionEntry
    ];

  config = _: {
    Cmd = [
      "bash"
      "/runner-scripts/entrypoint.sh"
    ];
    Env = {
      CLI_ARGS = "";
      # The container toolkit refuses an older driver; comfy-start says why.
      NVIDIA_REQUIRE_CUDA = "cuda>=13.0";
    };
    ExposedPorts = {
      "8188/tcp" = { };
    };
    Volumes = {
      "/root" = { };
    };
    # comfy-start takes SIGTERM too; ComfyUI itself ends cleanly on this one only.
    StopSignal = "SIGINT";
    WorkingDir = "/root";
  };
}
