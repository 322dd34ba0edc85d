# Makes /etc/ld.so.cache of the libraries of the layers below. Runs inside the root.
set -eu
ldconfig
mkdir -p "$out/root/etc"
cp /etc/ld.so.cache "$out/root/etc/ld.so.cache"
