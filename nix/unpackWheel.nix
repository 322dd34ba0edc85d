/**
  A package tree of one wheel, installed as the wheel specification says:
  https://packaging.python.org/specifications/binary-distribution-format/

  The builder is a static program of this repository: no root is entered, and no shell or
  Python starts (docs/design/D34-a-program-installs-wheels.md).

  Type: unpackWheel :: { sharedFromBytes, system, wheelInstall } -> AttrSet -> Derivation
*/
{
  # Bytes from which second copies of a file become links.
  sharedFromBytes,
  system,
  # The program of `crates/wheel-install`.
  wheelInstall,
}:
{
  # Distribution name and version, for the store path and for messages.
  pname,
  version,
  # The wheel: a fixed output, or a derivation with one `*.whl` in it.
  wheel,
  # Directory of the standard library below the prefix, and of `site-packages`: `python3.14t`.
  pythonDirectory,
  # Only `*.dist-info` is installed: the package's other files come from elsewhere.
  metadataOnly ? false,
  suffix ? "",
  # Path below site-packages -> { target, copy }: large files that another package has too.
  links ? { },
}:
derivation {
  name = "${pname}-${version}${suffix}";
  inherit system;
  builder = "${wheelInstall}/bin/wheel-install";
  args = [
    "--package"
    "${pname} ${version}"
    "--wheel"
    "${wheel}"
    "--python-directory"
    pythonDirectory
    "--shared-from-bytes"
    (toString sharedFromBytes)
    "--out"
    (placeholder "out")
  ]
  ++ (if metadataOnly then [ "--metadata-only" ] else [ ])
  ++ builtins.concatMap (path: [
    "--link"
    path
    links.${path}.target
    links.${path}.copy
  ]) (builtins.attrNames links);
}
