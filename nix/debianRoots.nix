/**
  The Debian roots of `package-lists/debian.toml`, each on the ones it stands on.

  Type: { debianTree, root, sources } -> AttrSet
*/
{
  debianTree,
  root,
  sources,
}:
let
  mk =
    name: arguments:
    debianTree (
      {
        inherit name;
        debs = sources.debs name;
      }
      // arguments
    );

  base = mk "01-base-cuda" { };
  tools = mk "02-python-tools" { lowers = [ base ]; };
  gcc15 = mk "03-gcc15" {
    lowers = [
      base
      tools
    ];
    atEnd = root + "/layers/03-gcc15/alternatives.sh";
  };
in
{
  inherit base gcc15 tools;
  /**
    Python for unpacking wheels; stands on nothing, so no list of the image touches it.
  */
  build-python = mk "build-python" { configure = false; };
  /**
    Development headers for CPython, on the base.
  */
  build-cpython = mk "build-cpython" {
    lowers = [ base ];
    configure = false;
  };
  /**
    The compiler of CUDA kernels; stands on nothing, so no list of the image touches it.
  */
  build-kernels = mk "build-kernels" { configure = false; };
  /**
    Tools for the build of OpenCV, on the base.
  */
  build-opencv = mk "build-opencv" {
    lowers = [ base ];
    configure = false;
  };
  /**
    Rust for the image tool, on the base.
  */
  build-image-tool = mk "build-image-tool" {
    lowers = [ base ];
    configure = false;
  };
}
