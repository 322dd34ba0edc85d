/**
  A package tree of files that stand in this repository.

  Type: fileTree :: { runCommand } -> String -> Path -> Derivation
*/
{ runCommand }:
# Derivation name.
name:
# Directory whose content is placed at `/`.
source:
runCommand name { inherit source; } ''
  mkdir -p "$out"
  cp -r "$source" "$out/root"
''
