set -euo pipefail
cd "$(mktemp -d)"
# A wheel made here: checks have no network.
python3 - <<'EOF'
import base64
import hashlib
import zipfile

info = "check_wheel-1.0.dist-info"
files = {
    "check_wheel.py": b"ANSWER = 42\n",
    f"{info}/METADATA": b"Metadata-Version: 2.1\nName: check-wheel\nVersion: 1.0\n",
    f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: check\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
record = ""
with zipfile.ZipFile("check_wheel-1.0-py3-none-any.whl", "w") as wheel:
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
        wheel.writestr(name, data)
    wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
EOF
python3 -m pip install --no-index ./check_wheel-1.0-py3-none-any.whl
cd /
python3 -c 'import check_wheel; print(check_wheel.__file__, check_wheel.ANSWER)'
python3 -m pip uninstall --yes check-wheel

# Byte code of the image is in no RECORD, and goes with its sources: a package as the image has
# it, in an environment where it can be removed.
python3 -m venv /tmp/emptied
library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
emptied=$(/tmp/emptied/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp -r "$library"/packaging "$library"/packaging-*.dist-info "$emptied"
echo "packaging: $(find "$emptied/packaging" -name '*.pyc' | wc -l) files of byte code before pip uninstall"
test -e "$emptied"/packaging/__pycache__
/tmp/emptied/bin/python -m pip uninstall --yes packaging
find "$emptied" -maxdepth 1 -name 'packaging*' | tee /tmp/left
test ! -s /tmp/left

# In virtual environments too, which read no configuration of the image's.
for options in "" --system-site-packages; do
    rm -rf /tmp/environment
    # shellcheck disable=SC2086 # none, or one word
    python3 -m venv $options /tmp/environment
    (cd "$OLDPWD" && /tmp/environment/bin/python -m pip install --no-index ./check_wheel-1.0-py3-none-any.whl)
    /tmp/environment/bin/python -c 'import check_wheel, sys; print(check_wheel.__file__); assert check_wheel.__file__.startswith(sys.prefix)'
done
