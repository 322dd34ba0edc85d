/**
  `nix flake check`: the pure functions, the image tool, how wheels are installed, how CUDA
  extensions and CMake builds are taken apart, and `pip check` of each variant.

  Type: checks :: AttrSet -> AttrSet -> AttrSet
*/
{
  checkPackages,
  # The wheel of a small CUDA extension, built for the quick variant.
  cudaExtensionTest,
  imageTool,
  root,
  runCommand,
  # The wheel of a small CMake project, built in slices for the quick variant.
  slicedSdistTest,
  # Trees of wheels, compared with what PyPA's installer writes.
  wheelTest,
}:
# The final layer of each variant.
layers:
let
  failures = import ./tests { inherit root; };
  variantChecks = builtins.listToAttrs (
    map (variantName: {
      name = "${variantName}-packages";
      value = checkPackages layers.${variantName};
    }) (builtins.attrNames layers)
  );
in
variantChecks
// {
  unit-tests =
    if failures == [ ] then
      runCommand "unit-tests" { } ''echo passed >"$out"''
    else
      throw "unit tests of nix/ failed: ${builtins.toJSON failures}";
  image-tool = imageTool;
  cuda-extension = cudaExtensionTest;
  sliced-sdist = slicedSdistTest;
  wheels = wheelTest;
}
