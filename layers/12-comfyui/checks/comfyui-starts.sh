set -euo pipefail
bundle=/default-comfyui-bundle
if [[ ! -f $bundle/ComfyUI/main.py ]]; then
    # This variant clones ComfyUI at the first start.
    cat "$bundle/comfyui-revision"
    exit 0
fi
bash /runner-scripts/install-bundle.sh
cd /root/ComfyUI
python3 main.py --cpu --quick-test-for-ci
