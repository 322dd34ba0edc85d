/**
  A package tree of one wheel, installed by PyPA `installer` as the wheel specification
  says: https://packaging.python.org/specifications/binary-distribution-format/

  It runs in a small Debian root with its own Python, so a wheel's tree depends neither on
  our CPython nor on the layers below: editing either unpacks no wheel again.

  Type: unpackWheel :: { inPython, installer, sharedFromBytes } -> AttrSet -> Derivation
*/
{
  inPython,
  # Fixed output of the `installer` wheel.
  installer,
  # Bytes from which second copies of a file become links.
  sharedFromBytes,
}:
{
  # Distribution name and version, for the store path.
  pname,
  version,
  # The wheel: a fixed output, or a derivation with one `*.whl` in it.
  wheel,
  # Directory of the standard library below the prefix, and of `site-packages`: `python3.14t`.
  pythonDirectory,
  # Relative paths that are not installed, as fnmatch patterns.
  exclude ? [ ],
  # Only these are installed, as fnmatch patterns; none means all.
  include ? [ ],
  suffix ? "",
  # Path below site-packages -> { target, copy }: large files that another package has too.
  links ? { },
}:
inPython {
  name = "${pname}-${version}${suffix}";
  script = ./scripts/install-wheel.py;
  env = {
    inherit installer pythonDirectory wheel;
    exclude = builtins.toJSON exclude;
    include = builtins.toJSON include;
    links = builtins.toJSON links;
    sharedFromBytes = toString sharedFromBytes;
  };
}
