/**
  CPython from the upstream tarball, built in the Debian root of layer 01 plus development
  headers, installed below `/usr/local` (docs/design/D06-cpython-without-the-gil.md).

  Type: cpython :: { inRoot } -> AttrSet -> Derivation
*/
{ inRoot }:
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
inRoot {
  name = "cpython-${version}${if freeThreaded then "t" else ""}";
  inherit lowers;
  script = ./scripts/cpython.sh;
  env = {
    inherit tarball version;
    configureFlags = if freeThreaded then "--disable-gil" else "";
  };
}
