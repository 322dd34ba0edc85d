# What nvcc would run for the CUDA source file $unit of $source, as a script of its own, so that
# each architecture can be a build of its own. Sourced by `compile-device.sh` and `link-unit.sh`.
export PATH="/build/applets:/usr/local/cuda-13.0/bin:$PATH"
mkdir "$out"

# Writes /build/steps: what `nvcc --dryrun` says that it would run, for $architectureFlags.
# Intermediate files have names without a process id, which would otherwise stand in the object.
plan_steps() {
    mkdir /build/source
    if [ -d "$source" ]; then
        cp -r "$source/." /build/source
    else
        tar -xzf "$source" -C /build/source --strip-components=1
    fi
    cd /build/source
    # shellcheck disable=SC2086
    nvcc -ccbin g++-15 --keep --keep-dir /build/scratch $flags $architectureFlags \
        --dryrun -c "/build/source/$unit" -o "$out/object.o" 2>/build/dryrun ||
        { cat /build/dryrun >&2; exit 1; }
    sed -n 's/^#\$ //p' /build/dryrun >/build/steps
    # Names of what is local to a file begin with the file's identifier. nvcc makes it in a pass of
    # the host's; this one is the same for all passes because it is of the file's name.
    file=$(basename "$unit" .cu)
    printf '_%s_%s' "$(echo "$unit" | sha256sum | cut -c 1-8)" "$(echo "$file" | tr -c 'a-zA-Z0-9\n' _)_cu" \
        >"/build/scratch/$file.module_id"
    # Thrust and CUB name a namespace after all architectures of a compilation. The host's code
    # has to find the names of each, so every pass is told of all that nvcc knows, as with
    # `-arch=all`.
    all=$(nvcc --list-gpu-arch | sed 's/^compute_//; s/$/0/' | tr '\n' ,)
    sed -i "s/ --gen_module_id_file / /; s/-D__CUDA_ARCH_LIST__=[0-9,]*/-D__CUDA_ARCH_LIST__=${all%,}/" \
        /build/steps
}

# Runs the steps of one side: `device` or `host`. The log says how much time of a processor this
# took.
run_steps() {
    {
        echo 'set -e'
        sed -n -E 's/^(TOP|CICC_PATH|NVVMIR_LIBRARY_DIR|LD_LIBRARY_PATH|PATH)=(.*)$/export \1="\2"/p' /build/steps
        # Preprocessing for an architecture, cicc and ptxas; the rest is the host's.
        commands='/^[A-Z_]+=/d; '
        devices='\.cpp1\.ii"|^ptxas '
        case $1 in
        device) sed -E "$commands" /build/steps | grep -E "$devices" ;;
        host) sed -E "$commands" /build/steps | grep -v -E "$devices" ;;
        esac
    } >"/build/$1.sh"
    time sh "/build/$1.sh"
}
