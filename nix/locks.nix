/**
  The committed lists and locks, read as data. Nothing here decides anything: versions,
  files and layers were chosen when locking.

  Type: { root } -> AttrSet
*/
{ root }:
let
  readTOML = file: builtins.fromTOML (builtins.readFile file);
  directory = root + "/package-lists/locks";
  tomlFiles =
    path:
    let
      names = builtins.attrNames (builtins.readDir path);
      stems = builtins.concatMap (
        name:
        let
          match = builtins.match "(.*)\\.toml" name;
        in
        if match == null then [ ] else match
      ) names;
    in
    builtins.listToAttrs (
      map (stem: {
        name = stem;
        value = readTOML (path + "/${stem}.toml");
      }) stems
    );
  variantsFile = readTOML (root + "/package-lists/variants.toml");
  exclusionsFile = readTOML (root + "/package-lists/exclusions.toml");
  python = tomlFiles (directory + "/python");
in
{
  debian = tomlFiles (directory + "/debian");
  inherit python;
  sources = readTOML (directory + "/sources.toml");
  seed = readTOML (directory + "/seed.toml");
  # Names of what a variant leaves out; `git` stands for everything from git.
  exclusionsOf =
    variant:
    map (exclusion: exclusion.name or exclusion.all) (
      builtins.filter (exclusion: builtins.elem variant exclusion.variants) exclusionsFile.exclusion
    );
  cargo = readTOML (root + "/Cargo.lock");
  defaultVariant = variantsFile.default;
  # Of variants that do not name their own.
  cudaArchitectures = variantsFile.cuda_architectures;
  # A variant without a lock is known, but cannot be built yet.
  variants = builtins.intersectAttrs python variantsFile.variant;
}
