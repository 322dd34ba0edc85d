/**
  A build by a Python script in a small Debian root with its own Python.

  Type: inPython :: { inRoot, pythonRoot } -> AttrSet -> Derivation
*/
{
  inRoot,
  # Tree with /usr/bin/python3.
  pythonRoot,
}:
# What `inRoot` takes, but for the root and the interpreter.
build:
inRoot (
  {
    lowers = [ pythonRoot ];
    interpreter = "/usr/bin/python3";
  }
  // build
)
