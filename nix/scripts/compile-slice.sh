# Compiles the slice $slice (`2/4` is the second quarter) of the objects that CMake asks for
# into $out, as an archive with times to the nanosecond, which Ninja goes on from. Sourced by
# build-sdist.sh, in the source.
touch /build/started
# scikit-build configures; Ninja gets `-n` and prints what it would compile. Without anything
# compiled the rest of setup.py fails.
SKBUILD_BUILD_OPTIONS=-n build_wheel || true
tree=$(echo _skbuild/*/cmake-build)
if [ ! -e "$tree/build.ninja" ]; then
    echo "CMake wrote no $tree/build.ninja; see its messages above" >&2
    exit 1
fi
ninja -C "$tree" -t targets all | sed -nE 's/: C(XX)?_COMPILER__.*//p' >/build/objects
split --number="l/$slice" /build/objects >/build/slice
# Without a target Ninja would compile everything.
xargs --no-run-if-empty --arg-file=/build/slice ninja -C "$tree" -j "$cores"
mkdir "$out"
# Not scikit-build's record of its arguments: with it the next step would not configure again.
find "$tree" -type f -newer /build/started ! -name CMakeSpec.json -print0 |
    tar --null --files-from=- --format=posix -I 'zstd -T0' -cf "$out/objects.tar.zst"
