# Builds and installs CPython into $out/root/usr/local. Runs inside the root.
set -euo pipefail
mkdir /build/source
tar -xf "$tarball" -C /build/source --strip-components=1
cd /build/source

# Without a shared libpython, as Debian builds it: the interpreter is faster, and extension
# modules need none. --with-ensurepip=no: layer 02 has its own locked pip.
# shellcheck disable=SC2086 # flags, one word each
./configure --prefix=/usr/local --with-ensurepip=no --without-static-libpython \
    --enable-loadable-sqlite-extensions --with-dbmliborder=gdbm:ndbm \
    --disable-test-modules $configureFlags >/build/configure.log
make -s -j "$(nproc)" >/build/make.log
make -s install DESTDIR="$out/root" >/build/install.log

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
