# Links that the toolkit has and NVIDIA's wheels lack: `lib64`, and for each versioned
# library the name that `-lNAME` looks for. Without them `-lcudart` is not found.
toolkit=$out/root/usr/local/cuda-13.0
mkdir -p "$toolkit/lib"
ln -s cuda-13.0 "$out/root/usr/local/cuda"
ln -s lib "$toolkit/lib64"
for tree in $cudaTrees; do
    for library in "$tree"/root/usr/local/cuda-13.0/lib/lib*.so.*; do
        [ -e "$library" ] || continue
        soname=${library##*/}
        link=${soname%%.so.*}.so
        [ -e "$tree/root/usr/local/cuda-13.0/lib/$link" ] || ln -sf "$soname" "$toolkit/lib/$link"
    done
done
