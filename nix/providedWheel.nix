/**
  A wheel that holds metadata only, for a distribution whose files another one brings.

  Type: providedWheel :: { inRoot, pythonRoot } -> AttrSet -> Derivation
*/
{
  inRoot,
  # Tree with /usr/bin/python3.
  pythonRoot,
}:
# An entry `provided` of the lock.
{
  name,
  version,
  by,
  ...
}:
inRoot {
  name = "${name}-${version}-provided-wheel";
  lowers = [ pythonRoot ];
  interpreter = "/usr/bin/python3";
  script = ./scripts/provided-wheel.py;
  env = {
    inherit by version;
    project = name;
  };
}
