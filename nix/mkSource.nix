/**
  A fixed output that `cargo xtask fetch` puts into the store.

  The path depends on name and hash alone
  (docs/design/D03-mirrors-never-change-a-store-path.md), so any route there gives the same
  bytes. The builder runs only when the path is missing, and then says how to get it. `origins`
  travels in the derivation: `fetch` reads it from there and needs no other list.

  Type: mkSource :: { storeName, system } -> AttrSet -> Derivation
*/
{ storeName, system }:
{
  # File name, as in the lock.
  name,
  # SHA-256 in hex or SRI form: of the file (flat) or of its NAR (recursive).
  hash,
  # Where the file is had, in order; the JSON of `lock::Origin`.
  origins,
  # "flat" for files, "recursive" for trees and executables.
  mode ? "flat",
  # Size of the download in bytes, for progress.
  sizeBytes ? null,
}:
derivation {
  inherit system;
  name = storeName name;
  builder = "/bin/sh";
  args = [
    "-c"
    ''
      echo "error: the source ${name} is not in the store" >&2
      echo "hint: run 'cargo xtask fetch' and build again" >&2
      exit 1
    ''
  ];
  outputHash = hash;
  outputHashAlgo = "sha256";
  outputHashMode = mode;
  origins = builtins.toJSON origins;
  sizeBytes = if sizeBytes == null then "" else toString sizeBytes;
  preferLocalBuild = true;
}
