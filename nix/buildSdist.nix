/**
  Builds a wheel from a source distribution, inside the layers built so far.

  Build requirements are package trees below the root: nothing is downloaded or resolved.
  A wheel for another interpreter than the root's is an error.

  Type: buildSdist :: { inRoot } -> AttrSet -> Derivation
*/
{ inRoot }:
{
  pname,
  version,
  # Fixed output: an sdist, or a git tree.
  source,
  # Trees with compiler, interpreter, pip and the build requirements, the bottom one first.
  lowers,
  # Environment variables of the build.
  env ? { },
  # Shell lines run in the unpacked source before the build.
  patch ? "",
  # Shell lines run there after the build.
  check ? "",
}:
inRoot {
  name = "${pname}-${version}-wheel";
  inherit lowers;
  script = ./scripts/build-sdist.sh;
  env = {
    inherit patch source;
    checkWheel = ./scripts/check-wheel.py;
  }
  // (if check == "" then { } else { inherit check; })
  // env;
}
