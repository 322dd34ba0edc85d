/**
  `nix develop`: a shell inside the image's own root, with its Python and tools.

  The image is an FHS root with its own C library, so the shell enters it like a build does:
  by a user namespace and an overlay. The checkout is at its usual path; what is written
  elsewhere is gone with the shell.

  Type: devShell :: AttrSet -> AttrSet -> Derivation
*/
{
  debian,
  layers,
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
  # The toolkit's trees are not linked like Python's: nvcc looks beside its real file.
  lowers =
    map (entry: entry.path) layer.entries.${layers.cuda}
    ++ map toString [
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
  # `nix develop` records the environment in every output that this variable names.
  outputs = [ "out" ];
  builder = "${bash}/bin/bash";
  args = [
    "-c"
    "echo >$out"
  ];
  # Read twice: outside, where it enters the root with the same shell and script, and inside.
  shellHook = ''
    if [ -n "''${IN_FACTORY_ROOT-}" ]; then
    ${builtins.concatStringsSep "\n" (
      map (name: "export ${name}='${environment.${name}}'") (builtins.attrNames environment)
    )}
    else
      export IN_FACTORY_ROOT=1
      case $- in
      *i*) set -- --rcfile "''${BASH_SOURCE[0]}" ;;
      *) set -- "''${BASH_SOURCE[0]}" ;;
      esac
      exec ${seed} sh ${./scripts/enter-root.sh} ${seed} ${
        builtins.concatStringsSep ":" (map (tree: "${tree}/root") lowers)
      } "$@"
    fi
  '';
}
