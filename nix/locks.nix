/**
  The committed lists, and the locks of a system, read as data. Nothing here decides anything:
  versions, files and layers were chosen when locking.

  Type: { root, target } -> AttrSet
*/
{
  root,
  # One of `systems.nix`.
  target,
}:
let
  imageTag = import ./imageTag.nix;
  readTOML = file: builtins.fromTOML (builtins.readFile file);
  ofAll = root + "/package-lists/locks";
  directory = if target.isDefault then ofAll else ofAll + "/${target.name}";
  # What says no system holds on all.
  isOfTarget = entry: builtins.elem target.name (entry.systems or [ target.name ]);
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
  wheelFiles = readTOML (root + "/package-lists/wheel-files.toml");
  # Sources are text, and what only builds unpack is pure: both are of all systems.
  python = tomlFiles (directory + "/python") // {
    build = readTOML (ofAll + "/python/build.toml");
  };
  sources = readTOML (ofAll + "/sources.toml");
  # A variant without a lock is known, but cannot be built yet.
  lockedVariants = builtins.mapAttrs (
    name: definition:
    definition
    // {
      tag = imageTag python.${name};
      override = builtins.filter isOfTarget (definition.override or [ ]);
    }
  ) (builtins.intersectAttrs python variantsFile.variant);

  # `--omit git` of xtask: a sibling of each variant that takes sources from git, with the
  # same lock but for those. Flakes have no arguments, so the choice is a name.
  withGit = builtins.filter (name: lockedVariants.${name}.git) (builtins.attrNames lockedVariants);
  withoutGit =
    value:
    builtins.listToAttrs (
      map (name: {
        name = "${name}-nogit";
        value = value name;
      }) withGit
    );
  names = map (source: source.name);
in
{
  debian = tomlFiles (directory + "/debian");
  python =
    python
    // withoutGit (
      name:
      python.${name}
      // {
        git = [ ];
        bundle = [ ];
      }
    );
  inherit sources;
  seed = readTOML (directory + "/seed.toml");
  # Names of what a variant leaves out; `git` stands for everything from git. What lacks native
  # code only is there.
  exclusionsOf =
    variant:
    map (exclusion: exclusion.name or exclusion.all) (
      builtins.filter (
        exclusion: builtins.elem variant exclusion.variants && isOfTarget exclusion && !(exclusion ? native)
      ) exclusionsFile.exclusion
    );
  # Files of a wheel that the image does not take.
  leftOutOf =
    package:
    builtins.concatMap (entry: if entry.package == package then entry.paths else [ ]) (
      wheelFiles.left_out or [ ]
    );
  # All of them: [ { package, paths, reason } ].
  leftOut = wheelFiles.left_out or [ ];
  # Bytes from which files of several wheels are shared.
  sharedFromBytes = wheelFiles.shared_from_bytes;
  cargo = readTOML (root + "/Cargo.lock");
  # Not every variant is there for every system.
  defaultVariant =
    if lockedVariants ? ${variantsFile.default} then variantsFile.default else variantsFile.quick;
  quickVariant = variantsFile.quick;
  # Of variants that do not name their own.
  cudaArchitectures = variantsFile.cuda_architectures;
  variants =
    lockedVariants
    // withoutGit (
      name:
      let
        definition = lockedVariants.${name};
      in
      definition
      // {
        git = false;
        # What the image is called by, and what it says that it lacks.
        variant = name;
        tag = "${definition.tag}-nogit";
        omittedGit =
          names (python.${name}.git or [ ])
          ++ names (python.${name}.bundle or [ ])
          ++ builtins.attrNames sources.weights;
      }
    );
}
