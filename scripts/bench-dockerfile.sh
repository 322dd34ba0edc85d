#!/usr/bin/env bash
# Times this project against a Dockerfile that installs the same pins with pip, on one machine:
#
#   scripts/bench-dockerfile.sh [VARIANT]
#
# Both stand on the image of layer 03. What is timed, seconds of wall time for each side:
#   no-op   nothing changed: build-final, and a build whose every step is cached
#   edit    one pure-Python wheel more in pak7, until the image can be loaded again
#   cold    layers 04 to 07 from cached sources (the store's files, pip's cache)
#
# Needs podman and some 35 GB of disk. PODMAN holds the words that start podman, PODMAN_BUILD
# further flags of `podman build` (default: none).
set -euo pipefail
cd "$(dirname "$0")/.."
variant=${1:-slim}
read -ra podman <<<"${PODMAN:-podman}"
read -ra flags <<<"${PODMAN_BUILD:-}"
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
mkdir "$scratch/pip-cache" "$scratch/context"

say() { echo "$*" >&2; }
seconds() { # LABEL COMMAND...: runs it, prints "LABEL seconds" on stdout
    local label=$1 start end
    shift
    start=$(date +%s%N)
    "$@" >"$scratch/log" 2>&1 || { tail -20 "$scratch/log" >&2; return 1; }
    end=$(date +%s%N)
    awk -v label="$label" -v ns=$((end - start)) 'BEGIN { printf "%-28s %8.2f s\n", label, ns / 1e9 }'
}
xtask() { cargo xtask "$@" --quiet; }
# shellcheck disable=SC2120 # arguments are options that only some calls need
image() { "${podman[@]}" build "${flags[@]}" --volume "$scratch/pip-cache:/root/.cache/pip" \
    --tag comfyui-boot-bench "$@" "$scratch/context"; }

say "layer 03 as the base image of both"
xtask build-final --variant "$variant" --no-load >/dev/null
base=$(xtask stream layer03 --variant "$variant" | "${podman[@]}" load | sed -n 's/^Loaded image: //p')

# One RUN for each list, its pins from the lock.
python3 - "$variant" "$base" "$scratch/context" <<'PYTHON'
import pathlib, sys, tomllib

variant, base, context = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
lock = tomllib.loads(pathlib.Path(f"package-lists/locks/python/{variant}.toml").read_text())
lines = [f"FROM {base}", "ENV PIP_USER=0"]
layers = sorted({p["layer"] for p in lock["package"] if p["layer"] >= "04"} | {"08-pak7"})
for layer in layers:
    pins = [f"{p['name']}=={p['version']}" for p in lock["package"] if p["layer"] == layer]
    (context / f"{layer}.txt").write_text("".join(f"{pin}\n" for pin in pins))
    lines += [
        f"COPY {layer}.txt /tmp/",
        f"RUN python3 -m pip install --no-deps --no-build-isolation -r /tmp/{layer}.txt",
    ]
(context / "Dockerfile").write_text("\n".join(lines) + "\n")
PYTHON

say "the Dockerfile's image, and with it pip's cache"
# shellcheck disable=SC2119
image >"$scratch/log" 2>&1 || { tail -20 "$scratch/log" >&2; exit 1; }

say "no-op"
seconds "no-op build-final" xtask build-final --variant "$variant" --no-load
seconds "no-op podman build" image

say "edit"
wheel=iniconfig==2.3.0
git clone --quiet . "$scratch/clone"
echo "$wheel" >>"$scratch/clone/package-lists/pak7.txt"
(
    cd "$scratch/clone"
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$OLDPWD/target}
    cargo xtask status --variant "$variant" --quiet >/dev/null # compiled for this checkout
    seconds "edit update-locks" xtask update-locks --variant "$variant"
    git add --all # Nix reads what git knows
    seconds "edit build-final" xtask build-final --variant "$variant" --no-load
)
echo "$wheel" >>"$scratch/context/08-pak7.txt"
seconds "edit podman build" image

say "cold"
(
    # A store of its own: nothing is taken from, or away from, the user's.
    export XTASK_STORE=$scratch/store
    xtask build layer03 --variant "$variant" >/dev/null
    xtask fetch layer07 --variant "$variant" >/dev/null
    seconds "cold build layer07" xtask build layer07 --variant "$variant"
)
sed -i '/08-pak7/,$d' "$scratch/context/Dockerfile"
seconds "cold podman build" image --no-cache
