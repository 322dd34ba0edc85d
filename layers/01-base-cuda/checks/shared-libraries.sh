set -euo pipefail
# These come from the host's driver, never from the image.
driver='libcuda\.so\|libnvidia-ml\.so'
IFS=: read -ra directories <<<"$PATH"
missing=0
for directory in "${directories[@]}"; do
    [[ -d $directory && ! -L ${directory%/} ]] || continue
    while IFS= read -r program; do
        lacks=$(ldd "$program" 2>/dev/null | grep 'not found' | grep -v "$driver" || true)
        if [[ -n $lacks ]]; then
            printf '%s\n%s\n' "$program" "$lacks"
            missing=1
        fi
    done < <(find "$directory" -maxdepth 1 -type f -perm /111)
done
exit "$missing"
