/**
  `nix run .#build-final`, `.#build-all-layers` and `.#check-packages`: Nix builds what the
  program refers to, the program says what there is now.

  Type: apps :: { checkPackages, imageTool, runCommand } -> AttrSet -> AttrSet
*/
{
  checkPackages,
  imageTool,
  runCommand,
}:
# The final layer of a variant.
layer:
let
  program = name: env: text: {
    type = "app";
    program = "${runCommand name
      (
        env
        // {
          inherit text;
          passAsFile = [ "text" ];
        }
      )
      ''
        cp "$textPath" "$out"
        chmod +x "$out"
      ''
    }";
    meta.description = name;
  };
in
{
  build-final = program "build-final" { } ''
    #!/bin/sh
    # Loads the image into the first container engine that answers.
    set -eu
    ${imageTool}/bin/comfy-image inspect --image ${layer.image} >&2
    for engine in docker podman; do
        if "$engine" info >/dev/null 2>&1; then
            ${layer.stream} | "$engine" load
            exit 0
        fi
    done
    echo "no container engine answers; to load the image later:" >&2
    echo "    ${layer.stream} | docker load" >&2
  '';

  build-all-layers = program "build-all-layers" { } ''
    #!/bin/sh
    # Prints each layer's spec: package trees, diff_ids and sizes.
    set -eu
    ${builtins.concatStringsSep "\n" (map (entry: "echo '${entry.name} ${entry.spec}'") layer.chain)}
    exec ${imageTool}/bin/comfy-image inspect --image ${layer.image}
  '';

  check-packages = program "check-packages" { } ''
    #!/bin/sh
    # Prints what `pip check` said of the variant's distributions, in the build sandbox.
    set -eu
    exec cat ${checkPackages layer}
  '';
}
