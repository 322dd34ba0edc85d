/**
  Large files that several distributions ship with the same bytes: the image holds them once,
  the other places are links (docs/design/D08-one-copy-of-cuda.md). Which they are was found
  when locking: `shared` of a package in its lock. The build compares the bytes.

  Type: sharedFiles :: AttrSet -> AttrSet -> { PATH :: { target, copy } }
*/
{
  byName,
  # Tree of a CUDA wheel's files.
  cudaTreeOf,
  # Whether a package is one of the CUDA toolkit.
  isCuda,
  sitePackages,
  # Package trees by name.
  trees,
}:
let
  # Where the image has a file of a package, and where the store has it.
  placed =
    package: path:
    let
      target = "${if isCuda package then "/usr/local/cuda-13.0" else sitePackages}/${path}";
      tree = if isCuda package then cudaTreeOf package else trees.${package.name};
    in
    {
      inherit target;
      copy = "${tree}/root${target}";
    };
in
package:
builtins.listToAttrs (
  map (file: {
    name = file.path;
    value =
      # Of its own tree a derivation knows only the place.
      if file.owner == package.name then
        { target = "/usr/local/cuda-13.0/${file.owner_path}"; }
      else
        placed byName.${file.owner} file.owner_path;
  }) (package.shared or [ ])
)
