# Unpacks one deb ($1); see debian-unpack.sh.
set -eu
deb=$1
work=$(mktemp -d /build/deb.XXXXXX)
cd "$work"
ar x "$deb"
mkdir control
for part in control data; do
    if [ -f "$part.tar.xz" ]; then
        xz -dc "$part.tar.xz" >"$part.tar"
    elif [ -f "$part.tar.gz" ]; then
        gzip -dc "$part.tar.gz" >"$part.tar"
    elif [ ! -f "$part.tar" ]; then
        echo "error: $deb: unknown compression of $part.tar: $(echo "$part".tar*)" >&2
        exit 1
    fi
done
tar -xf control.tar -C control
name=$(sed -n 's/^Package: *//p' control/control)
# dpkg keys the files of co-installable packages by architecture.
id=$name
if grep -q '^Multi-Arch: *same' control/control; then
    id=$name:$(sed -n 's/^Architecture: *//p' control/control)
fi

tar -tvf data.tar >members
tar -xf data.tar -C "$out/root"

# The store keeps 0444 and 0555 only. Everything is owned by root:root, so a setgid bit for
# another group would mean something else: setuid, sticky and private modes are kept.
awk '
    /^[-d]/ {
        mode = substr($1, 2)
        special = (mode ~ /s/ && substr(mode, 3, 1) ~ /[sS]/) || mode ~ /[tT]$/ || substr(mode, 7) !~ /^r/
        if (!special) next
        value = 0
        for (i = 1; i <= 9; i++) {
            bit = substr(mode, i, 1)
            value = 2 * value + (bit != "-" && bit != "S" && bit != "T")
        }
        if (substr(mode, 3, 1) ~ /[sS]/) value += 2048
        if (mode ~ /[tT]$/) value += 512
        path = $0
        sub(/^[^ ]+ +[^ ]+ +[0-9]+ [-0-9]+ [:0-9]+ \.\//, "", path)
        sub(/\/$/, "", path)
        if (path != "") printf "%04o %s\n", value, path
    }
' members >"/build/debian/modes/$name"

# The dpkg database: https://manpages.debian.org/trixie/dpkg/dpkg.1.en.html
info=$out/root/var/lib/dpkg/info
tar -tf data.tar | sed 's/^\.//; s/\/$//; s/^$/\/./' >"$info/$id.list"
for file in control/*; do
    member=${file#control/}
    [ "$member" = control ] || cp "$file" "$info/$id.$member"
done
{
    sed '/^$/d; s/^Package: .*/&\nStatus: install ok unpacked/' control/control
    if [ -f control/conffiles ]; then
        echo "Conffiles:"
        sed 's/^remove-on-upgrade //' control/conffiles | while read -r conffile; do
            [ -f "$out/root$conffile" ] || continue
            echo " $conffile $(md5sum "$out/root$conffile" | cut -d ' ' -f 1)"
        done
    fi
    echo
} >"/build/debian/status/$name"
cd /build
rm -rf "$work"
