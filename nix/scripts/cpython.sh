# Builds and installs CPython into $out/root/usr/local. Runs inside the root.
set -euo pipefail
# shellcheck source=nix/scripts/cpython-common.sh
. "$common"
if [ -n "${profile:-}" ]; then
    # Upstream's own steps for this, but that the profile is there before the first object is.
    # Its names are relative to the directory of the sources.
    configure_cpython --disable-test-modules --enable-optimizations
    tar -xf "$profile"
    touch profile-clean-stamp profile-gen-stamp profile-run-stamp
    make -s -j "$(nproc)" profile-opt >/build/make.log 2>&1
    # Another compiler or another source is no error to gcc, and the interpreter only slower.
    if grep -E 'coverage mismatch|version .* expected|checksum' /build/make.log; then
        echo "the recorded profile is not of these sources and this compiler: $profile" >&2
        exit 1
    fi
else
    configure_cpython --disable-test-modules
    make -s -j "$(nproc)" >/build/make.log
fi
# The last step compiles all modules three times over, and nobody would see that: with `--help`
# it compiles nothing.
make -s install DESTDIR="$out/root" COMPILEALL_OPTS=--help >/build/install.log

cd "$out/root/usr/local"
minor=${version%.*}
# The second name of a free-threaded interpreter is a hard link, and would be a second copy.
[ ! -e "bin/python${minor}t" ] || ln -sf "python$minor" "bin/python${minor}t"
ln -sf "python$minor" bin/python
ln -sf "python$minor" bin/python3
# Byte code is made at the first start, below PYTHONPYCACHEPREFIX.
find . -name __pycache__ -prune -exec rm -rf {} +
rm -rf share/man
# -B: a pyc records the time at which the build wrote its source.
"$out/root/usr/local/bin/python$minor" -B -c '
import bz2, ctypes, dbm.gnu, hashlib, lzma, readline, sqlite3, ssl, sys, uuid, zlib
import compression.zstd
print(sys.version)
'
