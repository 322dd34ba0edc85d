/**
  The files of one NVIDIA wheel, placed at `/usr/local/cuda-13.0`
  (docs/design/D08-one-copy-of-cuda.md).

  The wheel's metadata is not here: layer 04 installs it beside torch, where Python looks.

  Type: cudaTree :: { runCommand } -> AttrSet -> Derivation
*/
{ runCommand }:
{
  pname,
  version,
  wheel,
  # Files that it leaves out, below the toolkit's directory.
  leftOut ? [ ],
  # Path below the toolkit's directory -> { target, copy ? }: large files that another package
  # has too, or this one at another place.
  links ? { },
}:
let
  quoted = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
  linkOf =
    path:
    let
      link = links.${path};
    in
    ''
      link ${quoted path} ${quoted link.target} ${
        if link ? copy then quoted link.copy else ''"$out/root"${quoted link.target}''
      }
    '';
in
runCommand "${pname}-${version}-cuda"
  {
    inherit wheel;
    drop = leftOut;
  }
  (
    ''
      mkdir -p /build/wheel "$out/root/usr/local/cuda-13.0"
      unzip -q "$wheel" -d /build/wheel
      # nvidia/cu13 is the toolkit; others (nvidia/cudnn) have their own lib and include.
      for part in /build/wheel/nvidia/*/; do
          [ -d "$part" ] || continue
          cp -r "$part". "$out/root/usr/local/cuda-13.0/"
      done
      mkdir -p "$out/root/usr/local/cuda-13.0/licenses/${pname}"
      cp -r /build/wheel/*.dist-info/licenses/. "$out/root/usr/local/cuda-13.0/licenses/${pname}/" 2>/dev/null ||
          rmdir "$out/root/usr/local/cuda-13.0/licenses/${pname}" "$out/root/usr/local/cuda-13.0/licenses"
      for pattern in $drop; do
          rm -f "$out/root/usr/local/cuda-13.0/"$pattern
      done
      find "$out" -name __init__.py -exec rm {} +
    ''
    + (
      if links == { } then
        ""
      else
        # NAME TARGET COPY
        ''
          link() {
              file=$out/root/usr/local/cuda-13.0/$1
              if ! cmp -s "$file" "$3"; then
                  echo "error: $1 of ${pname} is not the same as $2; run \`cargo xtask update-locks\`" >&2
                  exit 1
              fi
              ln -sf "$2" "$file"
          }
        ''
        + builtins.concatStringsSep "" (map linkOf (builtins.attrNames links))
    )
  )
