# Builds and installs CPython into $out/root/usr/local. Runs inside the root.
set -euo pipefail
mkdir /build/source
tar -xf "$tarball" -C /build/source --strip-components=1
cd /build/source

# gcc records the build directory in assertions and debug lines: the same one everywhere.
# --with-ensurepip=no: layer 02 has its own locked pip.
# shellcheck disable=SC2086 # flags, one word each
./configure --prefix=/usr/local --enable-shared --with-ensurepip=no --without-static-libpython \
    --enable-loadable-sqlite-extensions --with-dbmliborder=gdbm:ndbm \
    --disable-test-modules $configureFlags \
    LDFLAGS='-Wl,-rpath,/usr/local/lib' >/build/configure.log
make -j "$(nproc)" >/build/make.log
# Installing compiles nothing: pycs are made at the first start, below PYTHONPYCACHEPREFIX.
make install DESTDIR="$out/root" COMPILEALL_OPTS='--help' >/build/install.log

cd "$out/root/usr/local"
minor=${version%.*}
ln -sf "python$minor" bin/python
ln -sf "python$minor" bin/python3
# `make install` writes pycs and a configuration with the build's own job count.
find . -name __pycache__ -prune -exec rm -rf {} +
rm -rf share/man
"$out/root/usr/local/bin/python$minor" -c '
import bz2, ctypes, dbm.gnu, hashlib, lzma, readline, sqlite3, ssl, sys, uuid, zlib
import compression.zstd
print(sys.version)
'
