# Builds the one wheel of $source into $out, or a slice of its objects. Runs inside the root.
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
if [ -n "${slices-}${slice-}" ]; then
    # Ninja compares times: sources are older than every object, whenever they were patched.
    find . -exec touch --no-dereference --date=@1 {} +
fi
for earlier in ${slices-}; do
    tar -xf "$earlier/objects.tar.zst"
done
# Zero means all cores, for Nix; CMake and PyTorch's extensions want a number.
cores=${NIX_BUILD_CORES:-0}
[ "$cores" != 0 ] || cores=$(nproc)
export CMAKE_BUILD_PARALLEL_LEVEL=$cores MAX_JOBS=$cores
build_wheel() {
    # Store paths of sources begin with a hash, so pip gets the directory.
    python3 -m pip wheel . --wheel-dir /build/wheels --verbose \
        --no-index --no-deps --no-build-isolation --no-cache-dir --disable-pip-version-check
}
if [ -n "${slice-}" ]; then
    . "$compileSlice"
    exit
fi
build_wheel
python3 "$checkWheel" /build/wheels/*.whl
eval "${check-}"
mkdir "$out"
mv /build/wheels/*.whl "$out/"
