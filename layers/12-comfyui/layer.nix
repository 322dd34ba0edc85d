let
  # The project's address is one setting of the workspace.
  address = (builtins.fromTOML (builtins.readFile ../../Cargo.toml)).workspace.package.repository;
in
{
  trees =
    {
      below,
      name,
      variant,
    }:
    variant.listEntries name
    ++ variant.comfyui.entries
    ++ [
      {
        package = "layer-12-files";
        path = "${variant.fileTree "layer-12-files" ./root}";
      }
      {
        package = "linker-cache";
        path = "${variant.linkerCache below}";
      }
    ];

  config =
    { variant, ... }:
    {
      # As in /usr/local/pip.conf, which uv does not read.
      Env.UV_CONSTRAINT = "/default-comfyui-bundle/constraints.txt";
      Labels = {
        "org.opencontainers.image.description" = variant.definition.description;
        "org.opencontainers.image.source" = address;
        "org.opencontainers.image.version" = variant.definition.tag;
        "io.comfyui-boot.omitted" = builtins.concatStringsSep " " variant.omitted;
        "io.comfyui-boot.omitted-sources" = if variant.definition ? omittedGit then "git" else "";
      };
    };
}
