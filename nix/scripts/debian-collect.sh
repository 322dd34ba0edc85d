# Sourced. Moves what configuring wrote from the overlay's upper directory into $out/root.

cd /build/upper
rm -rf nix dev proc build
# A whiteout is a character device 0:0 (kernel documentation, filesystems/overlayfs). One over
# a file of this root deletes it; one over a file of a root below cannot be said in a tree.
find . -type c | sed 's/^\.\///' | while read -r path; do
    rm -f "$path"
    if [ -e "$out/root/$path" ] || [ -L "$out/root/$path" ]; then
        rm -rf "${out:?}/root/$path"
    else
        echo "warning: configuring removed /$path of a root below; it stays" >&2
    fi
done
find . \( -type d -o -type f \) \( -perm -4000 -o -perm -1000 -o ! -perm -0004 \) | sed 's/^\.\///' |
    while read -r path; do
        [ "$path" = . ] || echo "$(stat -c '%a' "$path" | sed 's/^...$/0&/') $path"
    done >/build/debian/upper-modes
chmod -R u+rwX .
find . ! -type d | while read -r path; do
    rm -rf "${out:?}/root/$path"
done
cp -a . "$out/root/"
sort -k 2 -u "$out/modes" /build/debian/upper-modes >/build/debian/all-modes
# Packages list modes of paths that configuring replaced by links, or that were removed after it.
while read -r mode path; do
    [ -L "$out/root/$path" ] || [ ! -e "$out/root/$path" ] || echo "$mode $path"
done </build/debian/all-modes >"$out/modes"
cd /build
