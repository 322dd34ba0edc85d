/**
  Everything a variant is made of, before it is dealt out to layers: its interpreter and
  one package tree for each distribution of its lock.

  Type: mkVariant :: AttrSet -> String -> AttrSet -> AttrSet
*/
{
  buildSdist,
  byteCode,
  cpython,
  cudaLabel,
  cudaTree,
  debian,
  fileTree,
  inRoot,
  layers,
  locks,
  overrideWheel,
  providedWheel,
  runCommand,
  sources,
  unpackWheel,
}:
# Name of the variant.
name:
# Its entry of `variants.toml`.
definition:
let
  lock = locks.python.${name};
  freeThreaded = builtins.match ".*t" lock.python != null;
  pythonDirectory = if freeThreaded then "python3.14t" else "python3.14";

  python = cpython {
    inherit (locks.sources.tarball.cpython) version;
    tarball = sources.tarball "cpython";
    lowers = [
      debian.base
      debian.build-cpython
    ];
    inherit freeThreaded;
  };
  inherit (python) interpreter;

  byName = import ./byName.nix;
  packageLists = import ./package-lists.nix {
    inherit layers lock;
    gitSources = locks.sources.git;
  };

  # NVIDIA's files are layer 01's; what Python wants to know of them comes with torch.
  isCuda = package: package.layer == layers.cuda;

  # A wheel as the variant's tree, with whatever differs from the usual.
  unpack =
    package: more:
    unpackWheel (
      {
        pname = package.name;
        inherit (package) version;
        inherit pythonDirectory;
      }
      // more
    );

  # What builds need and the image does not.
  buildTrees = builtins.mapAttrs (_: package: unpack package { wheel = sources.pypiFile package; }) (
    byName locks.python.build.package
  );

  # Where extensions of PyTorch are compiled.
  cudaToolchain = import ./cudaToolchain.nix {
    inherit
      cudaArchitectures
      cudaTreeOf
      debian
      runCommand
      sitePackages
      sources
      trees
      ;
    inherit (customPackages) toolchain;
    inherit (packageLists) byName;
    headersOf = (byName locks.python.${definition.kernels_of or name}.package).torch;
  };

  customPackages = import ./custom-packages.nix {
    inherit (definition) git;
    torch = cudaToolchain;
    inherit
      buildSdist
      buildTrees
      debian
      interpreter
      sources
      trees
      ;
  };

  kernels = import ./kernels.nix {
    byName = packageLists.byName // packageLists.gitByName;
    inherit
      cudaArchitectures
      cudaExtension
      cudaTreeOf
      runCommand
      sources
      ;
  };
  cudaExtension = import ./cudaExtension.nix (
    cudaToolchain
    // {
      inherit
        buildSdist
        cudaLabel
        inRoot
        interpreter
        pythonDirectory
        sitePackages
        ;
    }
  );

  wheelOf =
    package:
    if package.kind == "wheel" then
      sources.pypiFile package
    else
      kernels.${package.name}.wheel or (customPackages.wheelOf package);

  overrides = byName (definition.override or [ ]);
  withMetadata =
    package: changes:
    overrideWheel (
      {
        pname = package.name;
        inherit (package) version;
        wheel = wheelOf package;
      }
      // changes
    );
  # The package's wheel as it is installed.
  installedWheel =
    package:
    let
      override = overrides.${package.name} or null;
    in
    if override == null then
      wheelOf package
    else
      withMetadata package {
        origin = "the override of ${package.name} in package-lists/variants.toml";
        drop = override.drop or [ ];
        requires = override.requires or null;
        tags = override.tags or [ ];
        record = override.record or [ ];
      };

  treeOf =
    package:
    unpack package {
      wheel = installedWheel package;
      metadataOnly = isCuda package;
      suffix = if isCuda package then "-metadata" else "";
      # A CUDA wheel's are in the toolkit's layer.
      links = if isCuda package then { } else sharedFiles package;
    };

  sitePackages = "/usr/local/lib/${pythonDirectory}/site-packages";
  sharedFiles = import ./sharedFiles.nix {
    inherit
      cudaTreeOf
      isCuda
      sitePackages
      trees
      ;
    inherit (packageLists) byName;
  };
  cudaTreeOf =
    package:
    cudaTree {
      pname = package.name;
      inherit (package) version;
      wheel = sources.pypiFile package;
      leftOut = locks.leftOutOf package.name;
      links = sharedFiles package;
    };

  gitTreeOf =
    package:
    unpack package {
      wheel = withMetadata package {
        origin = "`requires` of git.${package.name} in package-lists/sources.toml";
        requires = locks.sources.git.${package.name}.requires or [ ];
      };
    };

  providedTreeOf =
    package:
    unpack package {
      wheel = providedWheel package (wheelOf packageLists.byName.${package.by});
      suffix = "-metadata";
    };

  trees =
    builtins.mapAttrs (_: treeOf) packageLists.byName
    // builtins.mapAttrs (_: gitTreeOf) packageLists.gitByName
    // builtins.mapAttrs (_: providedTreeOf) packageLists.providedByName;

  cudaArchitectures = definition.cuda_architectures or locks.cudaArchitectures;

  entry = package: path: {
    package = "${package.name} ${package.version}";
    path = "${path}";
  };
  libraryDirectory = "/usr/local/lib/${pythonDirectory}";
  treeEntry =
    package:
    let
      tree = trees.${package.name};
      # Of these only the metadata is here.
      hasModules = !(isCuda package || packageLists.providedByName ? ${package.name});
    in
    entry package tree
    // (
      if hasModules then
        {
          byteCode = "${byteCode interpreter {
            pname = package.name;
            inherit (package) version;
            inherit tree;
            directory = libraryDirectory;
          }}";
        }
      else
        { }
    );
in
{
  /**
    The byte code of a package tree: `byteCode.nix` with the variant's interpreter.
  */
  byteCode = byteCode interpreter;

  /**
    A recording for `nix/profiles`, of the variant's interpreter.
  */
  interpreterProfile = python.profile;

  inherit
    cudaExtension
    customPackages
    debian
    definition
    fileTree
    inRoot
    interpreter
    kernels
    libraryDirectory
    lock
    name
    packageLists
    pythonDirectory
    runCommand
    sitePackages
    trees
    ;

  /**
    Entries (package, path and byte code) of what the lists of a layer ask for. Of NVIDIA's
    wheels, one layer has the toolkit's files, and another what Python wants to know of them
    (`pip check`).
  */
  listEntries =
    layer:
    let
      treesOf = map treeEntry;
      own = packageLists.ofLayer layer;
    in
    if layer == layers.cuda then
      map (package: entry package (cudaTreeOf package)) own
    else if layer == layers.cudaMetadata then
      treesOf own ++ treesOf (packageLists.ofLayer layers.cuda)
    else
      treesOf own;

  /**
    The entry of a Debian root of the image (`base`), with the packages that it adds to the
    roots below it.
  */
  debianEntry = root: {
    package = "debian-${root}";
    path = "${debian.${root}}";
    contains = map (package: "${package.name} ${package.version}") (
      locks.debian.${layers.debianRoots.${root}}.package
    );
  };

  /**
    Trees of the distributions of `pak3.nix`, `pak5.nix` and `pak7.nix`, by name.
  */
  packageSets = builtins.mapAttrs (
    _: packages: builtins.mapAttrs (name: _: trees.${name}) (byName packages)
  ) packageLists.sets;

  /**
    Requested things this variant leaves out, by name.
  */
  omitted = locks.exclusionsOf (definition.variant or name) ++ definition.omittedGit or [ ];

  /**
    What CUDA code is compiled for: `[ "8.0" "12.0+PTX" ]`, as `TORCH_CUDA_ARCH_LIST` has it.
  */
  inherit cudaArchitectures;

  /**
    `/etc/ld.so.cache` of the finished image, from the layers whose Debian packages hold
    libraries. Takes the entries of the layers below, by name.
  */
  linkerCache =
    below:
    inRoot {
      name = "linker-cache";
      lowers = builtins.concatMap (layer: map (entry: entry.path) below.${layer}) layers.withDebian;
      script = ./scripts/linker-cache.sh;
    };
}
