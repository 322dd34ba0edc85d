/**
  The byte code of a package tree: a tree of its own with `__pycache__/*.pyc` for each `*.py`
  of the other, compiled by the image's interpreter (docs/design/D27-byte-code.md). A tree
  does not wait for its byte code, and neither for that of others.

  The loader of a small Debian root starts the interpreter: it needs no more than the C
  library, and a chroot would take longer than most packages take to compile.

  Type: byteCode :: { pythonRoot, system, target } -> Derivation -> AttrSet -> Derivation
*/
{
  # Tree with the C library in /usr/lib.
  pythonRoot,
  system,
  # One of `systems.nix`.
  target,
}:
# The variant's CPython tree.
interpreter:
{
  # Distribution name and version, for the store path.
  pname,
  version,
  # The package tree.
  tree,
  # Directory of the image below which files are modules.
  directory,
}:
let
  libraries = "${pythonRoot}/root/usr/lib/${target.triplet}";
in
derivation {
  # The version last: the time that another version took is a good guess.
  name = "${pname}-byte-code-${version}";
  inherit directory system tree;
  builder = "${libraries}/${target.loader}";
  args = [
    "--library-path"
    libraries
    "${interpreter}/root/usr/local/bin/python3.14"
    # Nothing beside the script or in site-packages is imported.
    "-P"
    "-S"
    # What a package's author writes into string literals is not ours to mend.
    "-W"
    "ignore"
    ./scripts/compile-byte-code.py
  ];
  PYTHONHOME = "${interpreter}/root/usr/local";
  # The order of a set's elements would be another one in each process.
  PYTHONHASHSEED = "0";
  PYTHONUTF8 = "1";
}
