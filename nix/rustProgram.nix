/**
  A program of this repository, built in the sandbox by Debian's rustc from the same source and
  the same crates as cargo builds it from, and linked statically: it runs wherever Nix runs,
  and in the image before anything else does. It depends on the locked crates that it needs,
  not on the lock, which names all of the workspace's.

  Type: rustProgram :: { crateClosure, debian, inRoot, mkSource, root, target } -> AttrSet -> Derivation
*/
{
  crateClosure,
  debian,
  inRoot,
  mkSource,
  root,
  # One of `systems.nix`.
  target,
}:
{
  # The crate, below `crates/`; its program has the same name.
  name,
  # Where the program goes, below `$out`.
  destination ? "bin",
  # Features of the crate.
  features ? [ ],
}:
let
  lock = builtins.fromTOML (builtins.readFile (root + "/Cargo.lock"));
  crates = crateClosure lock name;
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
  # The script names rustc's target of the default system. For another it is the same text with
  # that one's, so that what the default system has built stays built.
  scriptFor =
    { isDefault, machine, ... }:
    if isDefault then
      ./scripts/rust-program.sh
    else
      builtins.toFile "rust-program.sh" (
        builtins.replaceStrings [ "x86_64-unknown-linux-gnu" ] [ "${machine}-unknown-linux-gnu" ] (
          builtins.readFile ./scripts/rust-program.sh
        )
      );
in
inRoot {
  inherit name;
  lowers = [
    debian.base
    debian.build-image-tool
  ];
  script = scriptFor target;
  env = {
    crates = map crateFile crates;
    crateIds = map (crate: "${crate.name}-${crate.version}:${crate.checksum}") crates;
    manifest = root + "/crates/${name}/Cargo.toml";
    source = root + "/crates/${name}/src";
    program = name;
    inherit destination features;
  };
}
