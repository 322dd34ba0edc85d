set -euo pipefail
for script in /runner-scripts/*.sh /builder-scripts/*.sh; do
    bash -n "$script"
    echo "$script"
done
test -f /runner-scripts/entrypoint.sh
PYTHONPATH=/runner-scripts/python python3 -c 'import sitecustomize; print(sitecustomize.__file__)'
comfy-start --version
comfy-start run --help >/dev/null
test -s /default-comfyui-bundle/comfyui-revision
test "$(stat -c %a /root)" = 1777
for directory in custom_nodes input models output user; do
    test -d "/default-comfyui-bundle/ComfyUI/$directory"
done
grep -E '^[0-9a-f]{40}$|^v[0-9]' /default-comfyui-bundle/comfyui-revision
