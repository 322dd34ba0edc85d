/**
  A package tree of Debian packages: unpacked, and configured by dpkg on top of the trees below.

  Configuring runs the packages' own maintainer scripts in a chroot, so alternatives,
  certificates, users and the dpkg database are what `apt-get install` would have left.
  All packages of a root are one tree: dpkg owns their paths and has checked them.

  Type: debianTree :: { inRoot, seed, system } -> AttrSet -> Derivation
*/
{
  inRoot,
  seed,
  system,
}:
{
  # Name of the root: `01-base-cuda`.
  name,
  # Fixed outputs of the debs.
  debs,
  # Debian trees below, the bottom one first.
  lowers ? [ ],
  # Run maintainer scripts. A root that only lends its programs needs none.
  configure ? true,
  # Script run in the root after configuring.
  atEnd ? "",
}:
let
  inputs = {
    inherit debs;
    unpackOne = ./scripts/debian-unpack-one.sh;
    isBase = if lowers == [ ] then "1" else "";
  };
in
if configure then
  inRoot {
    name = "debian-${name}";
    inherit lowers;
    onTop = true;
    prepare = ./scripts/debian-unpack.sh;
    script = ./scripts/debian-configure.sh;
    finish = ./scripts/debian-collect.sh;
    env = inputs // {
      inherit atEnd;
    };
  }
else
  derivation (
    {
      name = "debian-${name}";
      inherit system;
      builder = seed;
      busybox = seed;
      args = [
        "sh"
        "-c"
        ''
          set -eu
          $busybox mkdir -p /build/applets
          $busybox --install -s /build/applets
          export PATH=/build/applets
          . ${./scripts/debian-unpack.sh}
        ''
      ];
    }
    // inputs
  )
