#!/bin/bash
# Copies the image's ComfyUI to /root/ComfyUI without overwriting; an image without one
# (variant `slim`, or built with `--omit git`) clones it at the first start.
set -euo pipefail

bundle=/default-comfyui-bundle
target=/root/ComfyUI
say() { echo "[entrypoint] $*"; }

if [[ -f $bundle/omitted.txt ]]; then
    say "this image was built with --omit git, so it lacks: $(cat $bundle/omitted.txt)"
fi

mkdir -p "$target"
cp --recursive --update=none "$bundle/ComfyUI/." "$target/"
[[ ! -f $target/main.py ]] || exit 0

repository=${COMFYUI_REPOSITORY:-https://github.com/Comfy-Org/ComfyUI}
revision=${COMFYUI_REVISION:-$(cat $bundle/comfyui-revision)}
say "cloning ComfyUI $revision from $repository"
git -C "$target" init --quiet
git -C "$target" fetch --quiet --depth 1 "$repository" "$revision" || {
    say "error: cannot fetch $revision from $repository"
    say "hint: mount a ComfyUI checkout at $target, or set COMFYUI_REPOSITORY and COMFYUI_REVISION"
    exit 3
}
git -C "$target" checkout --quiet --force FETCH_HEAD
