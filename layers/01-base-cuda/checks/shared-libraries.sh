set -euo pipefail
machine=$(uname -m)
loader=$(compgen -G "/lib*/ld-linux-${machine//_/-}.so.?" | head -n 1)
# Python's own packages find one another's libraries by importing: the check `elf-libraries`.
roots=(/usr/bin /usr/sbin /usr/libexec /usr/local/bin /usr/local/sbin /usr/lib/"$machine"-linux-gnu /usr/local/cuda-13.0)

# From the host's driver, or loaded by a library only where the host has them.
optional='libcuda\.so\.1|libnvidia-ml\.so\.1'
optional+='|libibverbs\.so\.1|libmlx5\.so\.1|librdmacm\.so\.1'  # InfiniBand: libcufile_rdma
optional+='|libGLU\.so\.1|libglut\.so\.3'                       # a window of libcaca's own programs
export optional loader

check() {
    for file in "$@"; do
        # Four bytes tell a program from a script; what is not for this loader has no answer.
        [[ $(head -c 4 "$file" | tr -d '\0') == $'\x7fELF' ]] || continue
        echo "$file" >&3
        "$loader" --list "$file" 2>/dev/null | grep 'not found' | grep -vE "$optional" |
            sed "s|^|$file:|" || true
    done
}
export -f check

directory=$(mktemp -d)
find "${roots[@]}" -xdev -type f \( -perm /111 -o -name '*.so*' \) -print0 2>/dev/null |
    xargs -0 -n 64 -P "$(nproc)" bash -c 'check "$@"' check >"$directory/missing" 3>>"$directory/checked"
sort "$directory/missing" | head -n 40
n_missing=$(wc -l <"$directory/missing")
echo "$(wc -l <"$directory/checked") ELF files, $n_missing libraries not found"
test "$n_missing" = 0
