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
}:
let
  # Headers generated for CUPTI, which owns these names in the toolkit; and a second copy of a library.
  notOwned = {
    nvidia-cuda-sanitizer-api = [
      "include/generated_cuda_gl_interop_meta.h"
      "include/generated_cuda_meta.h"
      "include/generated_cuda_runtime_api_meta.h"
      "include/generated_cuda_vdpau_interop_meta.h"
      "lib/libsanitizer-collection.so"
    ];
  };
in
runCommand "${pname}-${version}-cuda"
  {
    inherit wheel;
    drop = notOwned.${pname} or [ ];
  }
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
