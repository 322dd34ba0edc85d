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
inRoot {
  name = "check-packages";
  lowers = [
    debian.base
    debian.tools
    layer.interpreter
    (pythonEnvironment layer)
  ];
  script = ./scripts/check-packages.sh;
}
