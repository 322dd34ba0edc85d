# Builds the one wheel of $source into $out. Runs inside the root.
set -euo pipefail
mkdir /build/source
case $source in
*.zip)
    unzip -q "$source" -d /build/unpacked
    mv /build/unpacked/*/* /build/source
    ;;
*)
    if [ -d "$source" ]; then
        cp -r "$source/." /build/source
        chmod -R u+w /build/source
    else
        tar --no-same-owner -xf "$source" -C /build/source --strip-components=1
    fi
    ;;
esac
cd /build/source
eval "$patch"
# Zero means all cores, for Nix; CMake and PyTorch's extensions want a number.
cores=${NIX_BUILD_CORES:-0}
[ "$cores" != 0 ] || cores=$(nproc)
export CMAKE_BUILD_PARALLEL_LEVEL=$cores MAX_JOBS=$cores
# Store paths of sources begin with a hash, so pip gets the directory.
python3 -m pip wheel . --wheel-dir /build/wheels \
    --no-index --no-deps --no-build-isolation --no-cache-dir --disable-pip-version-check --verbose
python3 "$checkWheel" /build/wheels/*.whl
eval "${check-}"
mkdir "$out"
mv /build/wheels/*.whl "$out/"
