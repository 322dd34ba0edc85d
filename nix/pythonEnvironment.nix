/**
  All distributions of a variant as one tree of links, for builds and shells that need the
  whole environment: overlayfs takes some sixty lower trees, a variant has some two hundred.

  Type: pythonEnvironment :: { inPython, layers } -> AttrSet -> Derivation
*/
{ inPython, layers }:
# The final layer of a variant.
layer:
let
  # The toolkit is no part of it: nvcc looks beside its real file.
  entries = builtins.concatMap (name: layer.entries.${name}) (
    builtins.filter (name: name != layers.cuda) (builtins.attrNames layer.entries)
  );
  isInterpreter = entry: entry.path == "${layer.interpreter}";
in
inPython {
  name = "python-environment";
  script = ./scripts/link-trees.py;
  # The interpreter stays a tree of its own: behind a link it would take the store for its prefix.
  env.trees = map (entry: entry.path) (builtins.filter (entry: !isInterpreter entry) entries);
}
