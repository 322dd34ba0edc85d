/**
  A wheel with other metadata: where a requirement is not needed here or bounded too tightly,
  and where its tags are wrong. What is installed then says what was locked, so that
  `pip check` holds.

  Type: overrideWheel :: { inPython } -> AttrSet -> Derivation
*/
{
  inPython,
}:
{
  # Distribution name and version, for the store path.
  pname,
  version,
  # A fixed output, or a derivation with one `*.whl` in it.
  wheel,
  # Where this is asked for, as errors name it.
  origin,
  # Normalized names of requirements that it does not have.
  drop ? [ ],
  # All its requirements but those of extras; null keeps its own.
  requires ? null,
  # Its tags, in place of its own; none keeps them.
  tags ? [ ],
  # Members of which its RECORD has a wrong hash or size, and gets the right one.
  record ? [ ],
}:
inPython {
  name = "${pname}-${version}-overridden";
  script = ./scripts/override-wheel.py;
  env = {
    inherit origin wheel;
    drop = builtins.toJSON drop;
    requires = builtins.toJSON requires;
    tags = builtins.toJSON tags;
    record = builtins.toJSON record;
  };
}
