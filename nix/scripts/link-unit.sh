# Makes $out/object.o of the CUDA source file $unit of $source: code of the host, and in it that
# of $devices, each `NUMBER=OUTPUT` of `compile-device.sh`. Runs inside the root.
set -eu
# shellcheck source=nix/scripts/compile-common.sh
. "$common"
plan_steps

# What a stub names; numbers of its own parameters are of no meaning.
names() { sed 's/__T[0-9]*/__T/g' "$1/stub.c"; }

mkdir /build/devices
first=
for device in $devices; do
    ln -s "${device#*=}" "/build/devices/${device%%=*}"
    first=${first:-${device#*=}}
    # The host's code registers the kernels and variables that one stub names.
    names "$first" >/build/names
    names "${device#*=}" | cmp -s - /build/names || {
        echo "error: the kernels of $unit have other names in $first than in ${device#*=}: a macro that differs between architectures is part of them" >&2
        exit 1
    }
done

# Code goes where nvcc would have left it.
grep -o 'kind=[a-z]*,sm=[0-9a-z]*,file=[^"]*' /build/steps |
    while IFS=, read -r kind number file; do
        case ${kind#kind=} in
        elf) code=code.cubin ;;
        ptx) code=code.ptx ;;
        *) echo "error: nvcc makes ${kind#kind=} of $unit, which nix/scripts/link-unit.sh knows nothing of" >&2 && exit 1 ;;
        esac
        cp "/build/devices/${number#sm=}/$code" "${file#file=}"
    done
stub=$(sed -n 's/^cudafe++ .*--stub_file_name "\([^"]*\)".*/\1/p' /build/steps)
cp "$first/stub.c" "/build/scratch/$(basename "$stub")"

run_steps host
# What `reuse-object.py` compares with.
# shellcheck disable=SC2086
printf '%s\n' $flags >"$out/flags"
