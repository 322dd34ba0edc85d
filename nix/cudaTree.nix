/**
  The files of one NVIDIA wheel, placed at `/usr/local/cuda-13.0` (design D8).

  The wheel's metadata is not here: layer 04 installs it beside torch, where Python looks.

  Type: cudaTree :: { runCommand } -> AttrSet -> Derivation
*/
{ runCommand }:
{
  pname,
  version,
  wheel,
}:
runCommand "${pname}-${version}-cuda" { inherit wheel; } ''
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
  find "$out" -name __init__.py -exec rm {} +
''
