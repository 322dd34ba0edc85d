# Sourced. Unpacks $debs into $out/root, records in $out/modes what the store cannot keep,
# and registers every package as unpacked in the dpkg database.

database=$out/root/var/lib/dpkg
mkdir -p "$database/info" "$database/updates" /build/debian/status /build/debian/modes
if [ -n "$isBase" ]; then
    # Merged /usr (base-files ships the same links): first, so that no package makes directories there.
    for directory in bin sbin lib lib64; do
        mkdir -p "$out/root/usr/$directory"
        ln -s "usr/$directory" "$out/root/$directory"
    done
fi

printf '%s\n' $debs | xargs -P "$(nproc)" -n 1 "$busybox" sh "$unpackOne"

for directory in bin sbin lib lib64; do
    if [ -z "$isBase" ] && [ -e "$out/root/$directory" ]; then
        echo "error: a package of this root ships /$directory, which is a link to usr/$directory" >&2
        exit 1
    fi
done

# dpkg sees one database: what the roots below have installed, and then this root's packages.
for lower in ${lowers:-}; do
    below=$lower/var/lib/dpkg/status
done
cat ${below:-} /build/debian/status/* >"$database/status"
sort -k 2 /build/debian/modes/* >"$out/modes"

# Large files with the same bytes (hard links, and copies such as git's) become symbolic links.
find "$out/root/usr" -type f -size +1000000c -exec sha256sum {} + | LC_ALL=C sort |
    while read -r hash file; do
        if [ "$hash" = "${last:-}" ]; then
            ln -sf "${kept#"$out/root"}" "$file"
        else
            last=$hash kept=$file
        fi
    done

# Like Debian's own slim images: licences stay, manuals and translations go.
rm -rf "$out/root/usr/share/man" "$out/root/usr/share/info" "$out/root/usr/share/locale"
if [ -d "$out/root/usr/share/doc" ]; then
    find "$out/root/usr/share/doc" -type f ! -name copyright -exec rm {} +
    find "$out/root/usr/share/doc" -depth -type d -exec rmdir {} + 2>/dev/null || :
fi
