/**
  A wheel that holds metadata only, for a distribution whose files another one brings.

  Type: providedWheel :: { inPython } -> AttrSet -> Derivation
*/
{
  inPython,
}:
# An entry `provided` of the lock.
{
  name,
  version,
  by,
  ...
}:
inPython {
  name = "${name}-${version}-provided-wheel";
  script = ./scripts/provided-wheel.py;
  env = {
    inherit by version;
    project = name;
  };
}
