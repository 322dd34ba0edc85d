# Enters a chroot of overlaid package trees and runs $script there: first as the build
# user (outside), then again below `unshare` as root of a user namespace (inside).
set -eu

if [ "${1:-}" != inside ]; then
    mkdir() { $busybox mkdir "$@"; }
    mkdir -p /build/upper /build/work /build/merged /build/applets /build/scratch
    unset -f mkdir
    $busybox --install -s /build/applets
    export PATH=/build/applets
    [ -z "$prepare" ] || . "$prepare"
    unshare -r -m "$busybox" sh "$0" inside
    [ -z "$finish" ] || . "$finish"
    exit 0
fi

[ -z "$onTop" ] || lowers="$lowers $out/root"
# overlayfs wants the top layer first; `lowers` has the bottom first.
stack=
for lower in $lowers; do
    stack=$lower${stack:+:$stack}
done
mount -t overlay overlay \
    -o "lowerdir=$stack,upperdir=/build/upper,workdir=/build/work,userxattr" /build/merged

cd /build/merged
mkdir -p nix dev proc build tmp
# Recursive binds: a plain one is refused, because the submounts are locked.
for directory in nix dev proc build; do
    mount -o rbind "/$directory" "$directory"
done

unset builder args lowers finish prepare onTop
export HOME=/build/scratch TMPDIR=/build/scratch
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec /build/applets/chroot /build/merged "$interpreter" "$script"
