/**
  CPython from the upstream tarball, built in the Debian root of layer 01 plus development
  headers, installed below `/usr/local` (docs/design/D06-cpython-without-the-gil.md).

  Type: cpython :: { inRoot, target } -> AttrSet -> { interpreter, profile }
*/
{
  inRoot,
  # One of `systems.nix`.
  target,
}:
{
  # Upstream version.
  version,
  # Fixed output of the source tarball.
  tarball,
  # Debian trees with compiler and headers, the bottom one first.
  lowers,
  # Build without the global interpreter lock (PEP 703).
  freeThreaded,
}:
let
  name = "cpython-${version}${if freeThreaded then "t" else ""}";
  env = {
    inherit tarball version;
    configureFlags = if freeThreaded then "--disable-gil" else "";
    common = ./scripts/cpython-common.sh;
  };
  recorded = ./profiles + "/${target.name}/${name}.tar.xz";
in
{
  /**
    The interpreter. Where a profile of this very version was recorded it is optimized by that;
    another version is built without one, until somebody records it.
  */
  interpreter = inRoot {
    inherit lowers name;
    script = ./scripts/cpython.sh;
    env = env // (if builtins.pathExists recorded then { profile = recorded; } else { });
  };

  /**
    A recording: which branches the interpreter takes while it runs the tests that upstream
    chose for it. Never twice the same bytes, so no image needs this derivation; its result is
    a file of `nix/profiles`.
  */
  profile = inRoot {
    inherit lowers;
    name = "${name}-profile.tar.xz";
    script = ./scripts/cpython-profile.sh;
    inherit env;
  };
}
