# Records CPython's profile into $out. Runs inside the root.
set -euo pipefail
# shellcheck source=nix/scripts/cpython-common.sh
. "$common"
# With the modules that tests want, which the image lacks.
configure_cpython --enable-optimizations
make -s -j "$(nproc)" profile-gen-stamp >/build/make.log 2>&1
# What a failed test ran is recorded like the rest; a sandbox has no network, and no terminal.
make -s profile-run-stamp || echo "some tests failed"
find . -name '*.gcda' -print0 | LC_ALL=C sort -z |
    tar --null -T - --owner=0 --group=0 --numeric-owner --mtime=@1 -cf - | xz -9 >"$out"
