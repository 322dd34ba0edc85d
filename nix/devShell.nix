/**
  `nix develop`: a shell inside the image's own root, with its Python and tools.

  The image is an FHS root with its own C library, so the shell enters it like a build does:
  by a user namespace and an overlay. The checkout is at its usual path; what is written
  elsewhere is gone with the shell.

  Type: devShell :: AttrSet -> AttrSet -> Derivation
*/
{
  debian,
  pythonEnvironment,
  runCommand,
  seed,
  sources,
  system,
}:
# The final layer of a variant.
layer:
let
  # Nix wants a program called `bash` as the builder; Debian's static one runs anywhere.
  bash = runCommand "bash-static" { deb = sources.debOf "nix" "bash-static"; } ''
    ar x "$deb" data.tar.xz
    mkdir -p "$out/bin" data
    tar -xJf data.tar.xz -C data
    cp data/usr/bin/bash-static "$out/bin/bash"
  '';
  lowers = [
    debian.base
    debian.tools
    debian.gcc15
    layer.interpreter
    (pythonEnvironment layer)
  ];
  environment = layer.config.Env;
in
derivation {
  name = "factory-shell";
  inherit system;
  builder = "${bash}/bin/bash";
  args = [
    "-c"
    "echo >$out"
  ];
  shellHook = ''
    ${builtins.concatStringsSep "\n" (
      map (name: "export IMAGE_${name}='${environment.${name}}'") (builtins.attrNames environment)
    )}
    exec ${seed} sh ${./scripts/enter-root.sh} ${seed} ${
      builtins.concatStringsSep ":" (map (tree: "${tree}/root") lowers)
    }
  '';
}
