/**
  Builds a wheel from a source distribution, inside the layers built so far.

  Build requirements are package trees below the root: nothing is downloaded or resolved.
  A wheel for another interpreter than the root's is an error.

  A long CMake build is cut into slices: derivations that compile a part of its objects each,
  one after the other. An interrupted build goes on with the slices it has.

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
  # Number of slices. For scikit-build with Ninja; zero compiles everything with the wheel.
  sliceCount ? 0,
  # Environment variables of the last step alone, for what no slice depends on. Ninja compiles
  # an object again for another definition, not for a header that was missing before.
  wheelEnv ? { },
}:
let
  step =
    name: changes:
    inRoot {
      name = "${pname}-${version}-${name}";
      inherit lowers;
      script = ./scripts/build-sdist.sh;
      env = {
        inherit patch source;
      }
      // env
      // changes;
    };

  # Each slice goes on from all before it.
  slices = builtins.foldl' (
    earlier: number:
    earlier
    ++ [
      (step "objects-${toString number}-of-${toString sliceCount}" {
        slices = earlier;
        slice = "${toString number}/${toString sliceCount}";
        compileSlice = ./scripts/compile-slice.sh;
      })
    ]
  ) [ ] (builtins.genList (index: index + 1) sliceCount);
in
step "wheel" (
  {
    checkWheel = ./scripts/check-wheel.py;
  }
  // (if check == "" then { } else { inherit check; })
  // (if slices == [ ] then { } else { inherit slices; })
  // wheelEnv
)
