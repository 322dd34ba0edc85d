/**
  A small CMake project, built in slices like OpenCV. It fails when the last step compiles an
  object of a slice again, or does not compile one whose definitions only that step has: in
  a minute, and not after an hour.

  Type: slicedSdistTest :: { buildSdist } -> AttrSet -> Derivation
*/
{ buildSdist }:
# The variant.
variant:
buildSdist {
  pname = "sliced-test";
  version = "1.0";
  source = "${./tests/sliced-sdist}";
  lowers =
    variant.customPackages.toolchain
    ++ map variant.customPackages.requirement [
      "distro"
      "scikit-build"
    ];
  env.CMAKE_ARGS = "-DSLICED_TEST_DATA=1";
  wheelEnv.CMAKE_ARGS = "-DSLICED_TEST_DATA=2";
  sliceCount = 2;
  # CMake wrote its cache before it compiled anything in this step.
  check = ''
    compiled=$(find _skbuild -name '*.o' -newer _skbuild/*/cmake-build/CMakeCache.txt -printf '%f ')
    if [ "$compiled" != "data.c.o " ]; then
        echo "expected data.c.o alone to be compiled again, found: $compiled" >&2
        exit 1
    fi
  '';
}
