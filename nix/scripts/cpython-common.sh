# Unpacks CPython and configures it; sourced by what builds it and what records its profile.
# Arguments: more flags of configure.
configure_cpython() {
    mkdir /build/source
    tar -xf "$tarball" -C /build/source --strip-components=1
    cd /build/source

    # Without a shared libpython, as Debian builds it: the interpreter is faster, and extension
    # modules need none. --with-ensurepip=no: layer 02 has its own locked pip. OPT: upstream's,
    # but for -g: what a debugger reads is more than half of the interpreter, which nobody debugs
    # in the image, and extension modules would be compiled with it too.
    # shellcheck disable=SC2086,SC2154 # flags, one word each; the derivation sets them
    ./configure --prefix=/usr/local --with-ensurepip=no --without-static-libpython \
        --enable-loadable-sqlite-extensions --with-dbmliborder=gdbm:ndbm \
        OPT='-DNDEBUG -O3 -Wall' \
        "$@" $configureFlags >/build/configure.log
}
