# Compiles the CUDA source file $unit of $source for one architecture, into `code.cubin`,
# `code.ptx`, and `stub.c`, which tells the host of its kernels. Runs inside the root.
set -eu
# shellcheck source=nix/scripts/compile-common.sh
. "$common"
plan_steps
run_steps device
cd /build/scratch
mv ./*.cubin "$out/code.cubin"
mv ./*.ptx "$out/code.ptx"
# Lines that say where a file was would say how many architectures nvcc was asked for.
grep -v '^# [0-9]' ./*.stub.c >"$out/stub.c"
