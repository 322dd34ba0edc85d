/**
  All distributions of a variant as one tree of links, for builds and shells that need the
  whole environment: overlayfs takes some sixty lower trees, a variant has some two hundred.

  Type: pythonEnvironment :: { runCommand } -> AttrSet -> Derivation
*/
{ runCommand }:
# The final layer of a variant.
layer:
let
  isPython = name: builtins.match "(0[2-9]|1[0-2])-.*" name != null;
  entries = builtins.concatMap (name: if isPython name then layer.entries.${name} else [ ]) (
    builtins.attrNames layer.entries
  );
in
runCommand "python-environment"
  {
    trees = map (entry: entry.path) entries;
    passAsFile = [ "trees" ];
  }
  ''
    mkdir -p "$out/root/usr/local"
    for tree in $(cat "$treesPath"); do
        [ -d "$tree/root/usr/local" ] || continue
        # Directories are real, so that namespace packages merge; files are links.
        (cd "$tree/root/usr/local" && find . -type d) | (cd "$out/root/usr/local" && xargs mkdir -p)
        (cd "$tree/root/usr/local" && find . ! -type d) | while read -r path; do
            [ -L "$tree/root/usr/local/$path" ] && cp -a "$tree/root/usr/local/$path" "$out/root/usr/local/$path" && continue
            ln -sf "$tree/root/usr/local/$path" "$out/root/usr/local/$path"
        done
    done
  ''
