#!/bin/bash
# Prepares /root on the first start, runs the user's scripts, and starts ComfyUI.
#
# Environment: CLI_ARGS (words passed to ComfyUI), PUID and PGID (run ComfyUI as this user),
# PYTHON_GIL (0 keeps the GIL off for extensions that have not declared free-threading).
set -euo pipefail

scripts=/root/user-scripts
say() { echo "[entrypoint] $*"; }

mkdir -p "$scripts"
if [[ -f $scripts/set-proxy.sh ]]; then
    say "reading $scripts/set-proxy.sh"
    # shellcheck source=/dev/null
    source "$scripts/set-proxy.sh"
fi

bash /runner-scripts/install-bundle.sh

if [[ -f $scripts/pre-start.sh ]]; then
    say "running $scripts/pre-start.sh"
    bash "$scripts/pre-start.sh"
fi

cd /root/ComfyUI
arguments=(--listen --port 8188)
# The last of two equal options counts, so CLI_ARGS can choose another one.
[[ ! -f models/vae_approx/taesd_decoder.pth ]] || arguments+=(--preview-method taesd)
# shellcheck disable=SC2206 # CLI_ARGS is a list of words
arguments+=(${CLI_ARGS:-})
say "starting ComfyUI: python3 main.py ${arguments[*]}"
if [[ -n ${PUID:-} && ${PUID} != 0 ]]; then
    chown -R "$PUID:${PGID:-$PUID}" /root
    export HOME=/root
    exec setpriv --reuid "$PUID" --regid "${PGID:-$PUID}" --clear-groups python3 main.py "${arguments[@]}"
fi
exec python3 main.py "${arguments[@]}"
