# Compiles the CUDA source file $unit of $source into $out/object.o. Runs inside the root.
set -eu
export PATH="/build/applets:/usr/local/cuda-13.0/bin:$PATH"
mkdir /build/source "$out"
if [ -d "$source" ]; then
    cp -r "$source/." /build/source
else
    tar -xzf "$source" -C /build/source --strip-components=1
fi
cd /build/source
# Kept files have names without a process id, which would otherwise stand in the object. The
# log says how much time of a processor this took.
# shellcheck disable=SC2086
time nvcc -ccbin g++-15 --keep --keep-dir /build/scratch $flags $architectureFlags \
    -c "/build/source/$unit" -o "$out/object.o"
# What `reuse-object.py` compares with.
# shellcheck disable=SC2086
printf '%s\n' $flags >"$out/flags"
