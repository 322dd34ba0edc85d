# Builds the one wheel of $source into $out. Runs inside the root.
set -euo pipefail
mkdir /build/source
if [ -d "$source" ]; then
    cp -r "$source/." /build/source
    chmod -R u+w /build/source
else
    tar --no-same-owner -xf "$source" -C /build/source --strip-components=1
fi
cd /build/source
eval "$patch"
# Store paths of sources begin with a hash, so pip gets the directory.
python3 -m pip wheel . --wheel-dir /build/wheels \
    --no-index --no-deps --no-build-isolation --no-cache-dir --disable-pip-version-check
eval "${check-}"
mkdir "$out"
mv /build/wheels/*.whl "$out/"
