/**
  A wheel that holds metadata only, for a distribution whose files another one brings.

  Type: providedWheel :: { inPython } -> AttrSet -> Path -> Derivation
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
# The wheel of `by`: a fixed output, or a derivation with one `*.whl` in it.
provider:
inPython {
  name = "${name}-${version}-provided-wheel";
  script = ./scripts/provided-wheel.py;
  env = {
    inherit by provider version;
    project = name;
  };
}
