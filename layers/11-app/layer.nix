{
  trees =
    { variant, ... }:
    [
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
}
