/**
  What `pip check` says of a variant's distributions, in the build sandbox. The derivation
  fails when it finds a requirement that is not met.

  Type: checkPackages :: { debian, inRoot, pythonEnvironment } -> AttrSet -> Derivation
*/
{
  debian,
  inRoot,
  pythonEnvironment,
}:
# The final layer of a variant.
layer:
let
  isInterpreter = entry: builtins.match "cpython .*" entry.package != null;
  interpreter =
    (builtins.head (builtins.filter isInterpreter layer.entries."02-python-tools")).path;
in
inRoot {
  name = "check-packages";
  lowers = [
    debian.base
    debian.tools
    interpreter
    (pythonEnvironment layer)
  ];
  script = ./scripts/check-packages.sh;
}
