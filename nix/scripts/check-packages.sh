# Checks the installed distributions against each other's requirements. Runs inside the root.
set -euo pipefail
python3 -m pip --disable-pip-version-check check | tee "$out"
python3 -m pip --disable-pip-version-check list --format=freeze >>"$out"
