set -euo pipefail
for script in /runner-scripts/*.sh /builder-scripts/*.sh; do
    bash -n "$script"
    echo "$script"
done
test -f /runner-scripts/entrypoint.sh
for directory in custom_nodes input models output user; do
    test -d "/default-comfyui-bundle/ComfyUI/$directory"
done
grep -E '^[0-9a-f]{40}$|^v[0-9]' /default-comfyui-bundle/comfyui-revision
