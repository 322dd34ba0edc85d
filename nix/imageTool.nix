/**
  The image crate, built in the sandbox by Debian's rustc from the same source and the same
  crates as xtask's, and linked statically: it runs wherever Nix runs
  (docs/design/D09-the-image-is-never-a-file.md). It depends on the locked crates that it needs,
  not on the lock, which names xtask's as well.

  Type: { crateClosure, debian, inRoot, mkSource, root } -> Derivation
*/
{
  crateClosure,
  debian,
  inRoot,
  mkSource,
  root,
}:
let
  lock = builtins.fromTOML (builtins.readFile (root + "/Cargo.lock"));
  crates = crateClosure lock "comfy-image";
  crateFile =
    {
      name,
      version,
      checksum,
    }:
    mkSource {
      name = "${name}-${version}.crate";
      hash = checksum;
      origins = [
        {
          registry = "crates";
          inherit name version;
        }
      ];
    };
in
inRoot {
  name = "comfy-image";
  lowers = [
    debian.base
    debian.build-image-tool
  ];
  script = ./scripts/image-tool.sh;
  env = {
    crates = map crateFile crates;
    crateIds = map (crate: "${crate.name}-${crate.version}:${crate.checksum}") crates;
    manifest = root + "/crates/comfy-image/Cargo.toml";
    source = root + "/crates/comfy-image/src";
  };
}
