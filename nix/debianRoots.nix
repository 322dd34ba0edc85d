/**
  The Debian roots of `package-lists/debian.toml`, each on the ones it stands on. Those of
  layers have the names that `layers/layers.toml` gives them (`base`), the others their own:

  - `build-python`: Python for the metadata of wheels, and the C library that starts the image's
    interpreter for byte code; stands on nothing, so no list of the image touches it.
  - `build-cpython`: development headers for CPython.
  - `build-kernels`: the compiler of CUDA kernels; stands on nothing, so no list of the image
    touches it.
  - `build-opencv`: tools for the build of OpenCV.
  - `build-image-tool`: Rust for the image tool.

  Type: { debianTree, layers, locks, root, sources } -> AttrSet
*/
{
  debianTree,
  layers,
  locks,
  root,
  sources,
}:
let
  isOfLayer = name: builtins.elem name layers.withDebian;
  # The names of the roots below one, the bottom one first.
  below =
    name:
    let
      lock = locks.debian.${name};
    in
    if lock ? on then below lock.on ++ [ lock.on ] else [ ];
  # Which alternatives a layer chooses, after dpkg has configured its root.
  atEnd =
    name:
    let
      script = root + "/layers/${name}/alternatives.sh";
    in
    if builtins.pathExists script then { atEnd = script; } else { };

  roots = builtins.mapAttrs (
    name: _:
    debianTree (
      {
        inherit name;
        debs = sources.debs name;
        lowers = map (other: roots.${other}) (below name);
      }
      // (if isOfLayer name then atEnd name else { configure = false; })
    )
  ) locks.debian;
in
removeAttrs roots layers.withDebian // builtins.mapAttrs (_: name: roots.${name}) layers.debianRoots
