# Opens a shell in a chroot of overlaid package trees ($2: trees, the bottom one first, by
# colons); $1 is a static busybox. Variables called IMAGE_NAME become NAME inside.
set -eu
busybox=$1
trees=$2

if [ "${3:-}" != inside ]; then
    scratch=$("$busybox" mktemp -d)
    trap '"$busybox" rm -rf "$scratch"' EXIT
    "$busybox" mkdir "$scratch/upper" "$scratch/work" "$scratch/merged"
    "$busybox" unshare -r -m "$busybox" sh "$0" "$busybox" "$trees" inside "$scratch" "$PWD"
    exit
fi
scratch=$4
directory=$5

stack=
for tree in $(echo "$trees" | "$busybox" tr : ' '); do
    stack=$tree${stack:+:$stack}
done
"$busybox" mount -t overlay overlay \
    -o "lowerdir=$stack,upperdir=$scratch/upper,workdir=$scratch/work,userxattr" "$scratch/merged"
cd "$scratch/merged"
for bound in nix dev proc sys tmp "${HOME#/}" "${directory#/}"; do
    [ -d "/$bound" ] || continue
    "$busybox" mkdir -p "$bound"
    "$busybox" mount -o rbind "/$bound" "$bound"
done
for file in etc/resolv.conf etc/hosts; do
    [ -f "/$file" ] && "$busybox" cp "/$file" "$file"
done
for name in $("$busybox" env | "$busybox" sed -n 's/^IMAGE_\([A-Z_]*\)=.*/\1/p'); do
    eval "export $name=\"\$IMAGE_$name\""
done
echo "the image's root, with its Python and tools; leave with exit" >&2
# shellcheck disable=SC2093
exec "$busybox" chroot "$scratch/merged" /bin/bash -c 'cd "$1" && exec bash -i' bash "$directory"
