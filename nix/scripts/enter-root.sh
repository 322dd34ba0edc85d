# Runs bash ($3 and more: its arguments) in a chroot of overlaid package trees ($2: trees, the
# bottom one first, by colons); $1 is a static busybox. The present directory, the home and
# /tmp are the host's; what is written elsewhere is gone afterwards.
set -eu
busybox=$1
trees=$2
shift 2

if [ -z "${FACTORY_SCRATCH-}" ]; then
    FACTORY_SCRATCH=$("$busybox" mktemp -d)
    export FACTORY_SCRATCH
    trap '"$busybox" rm -rf "$FACTORY_SCRATCH"' EXIT
    "$busybox" mkdir "$FACTORY_SCRATCH/upper" "$FACTORY_SCRATCH/work" "$FACTORY_SCRATCH/merged"
    status=0
    "$busybox" unshare -r -m "$busybox" sh "$0" "$busybox" "$trees" "$@" || status=$?
    exit "$status"
fi
scratch=$FACTORY_SCRATCH
unset FACTORY_SCRATCH
directory=$PWD

stack=
for tree in $(echo "$trees" | "$busybox" tr : ' '); do
    stack=$tree${stack:+:$stack}
done
"$busybox" mount -t overlay overlay \
    -o "lowerdir=$stack,upperdir=$scratch/upper,workdir=$scratch/work,userxattr" "$scratch/merged"
cd "$scratch/merged"
for bound in nix dev proc sys tmp "${TMPDIR:-/tmp}" "$HOME" "$directory"; do
    bound=${bound#/}
    [ -d "/$bound" ] || continue
    "$busybox" mkdir -p "$bound"
    "$busybox" mount -o rbind "/$bound" "$bound"
done
for file in etc/resolv.conf etc/hosts; do
    [ -f "/$file" ] && "$busybox" cp "/$file" "$file"
done
# shellcheck disable=SC2093
exec "$busybox" chroot "$scratch/merged" /bin/bash -c 'cd "$1" && shift && exec bash "$@"' bash "$directory" "$@"
