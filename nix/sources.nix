/**
  Every fixed output that a lock names, as a function of its name.

  Type: { locks, mkSource } -> AttrSet
*/
{ locks, mkSource }:
let
  deb =
    lock: package:
    mkSource {
      name = baseNameOf package.path;
      hash = package.sha256;
      sizeBytes = package.size;
      origins = [
        {
          registry = "debian";
          inherit (package) archive path;
          snapshot = package.snapshot or lock.snapshot;
        }
      ];
    };

  # A wheel that a variant names by its URL (`direct` in variants.toml), such as one with
  # kernels compiled elsewhere for the same ABI, has that URL in the lock.
  pypiFile =
    package:
    mkSource {
      name = package.file;
      hash = package.sha256;
      sizeBytes = package.size or null;
      origins = [
        (
          if package ? url then
            {
              registry = "url";
              inherit (package) url;
            }
          else
            {
              registry = "pypi";
              project = package.name;
              inherit (package) file;
            }
        )
      ];
    };

  seedDeb = builtins.head locks.debian.seed.package;
in
{
  inherit pypiFile;

  /**
    The debs of one root.
  */
  debs = root: map (deb locks.debian.${root}) locks.debian.${root}.package or [ ];

  /**
    One deb of a root, by package name.
  */
  debOf =
    root: name:
    deb locks.debian.${root} (
      builtins.head (builtins.filter (package: package.name == name) locks.debian.${root}.package)
    );

  /**
    A wheel of the build tools' lock, by normalized name.
  */
  buildWheel =
    name:
    pypiFile (
      builtins.head (builtins.filter (package: package.name == name) locks.python.build.package)
    );

  /**
    An upstream tarball, by its name in the lock.
  */
  tarball =
    name:
    let
      locked = locks.sources.tarball.${name};
    in
    mkSource {
      name = locked.file;
      hash = locked.sha256;
      sizeBytes = locked.size;
      inherit (locked) origins;
    };

  /**
    A git tree, by its name in the lock.
  */
  gitTree =
    name:
    let
      locked = locks.sources.git.${name};
    in
    mkSource {
      name = "${name}-${builtins.substring 0 12 locked.rev}";
      hash = locked.nar_hash;
      mode = "recursive";
      origins = [
        (
          {
            registry = "git";
            inherit (locked) url rev;
            submodules = locked.submodules or false;
          }
          // (if locked ? exclude then { inherit (locked) exclude; } else { })
        )
      ];
    };

  /**
    The files of a set of model weights, by file name.
  */
  weights =
    name:
    let
      locked = locks.sources.weights.${name};
    in
    builtins.mapAttrs (
      file: hash:
      mkSource {
        name = file;
        inherit hash;
        origins = [
          {
            registry = "url";
            url = "${locked.url}/${file}";
          }
        ];
      }
    ) locked.files;

  /**
    Debian's static busybox as `bin/busybox`: the one binary that is not built here.
  */
  seed = mkSource {
    inherit (locks.seed) name;
    hash = locks.seed.nar_hash;
    mode = "recursive";
    sizeBytes = seedDeb.size;
    origins = [
      {
        registry = "deb-member";
        inherit (seedDeb) archive path;
        inherit (locks.debian.seed) snapshot;
        deb_sha256 = seedDeb.sha256;
        deb_size = seedDeb.size;
        inherit (locks.seed) member;
      }
    ];
  };
}
