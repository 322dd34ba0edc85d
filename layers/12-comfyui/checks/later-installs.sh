set -euo pipefail
mkdir -p /tmp/wheels
cd /tmp/wheels
# Wheels made here: checks have no network. One wants a PyTorch that this image does not have.
python3 - <<'EOF'
import zipfile

for name, version, requires in [
    ("check_wheel", "1.0", ""),
    ("check_other_torch", "1.0", "Requires-Dist: torch==2.1.0\n"),
    ("torch", "2.1.0", ""),
    ("torch", "99.0", ""),
]:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: check\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if name != "torch":
        files[f"{name}.py"] = "ANSWER = 42\n"
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)
EOF
chmod -R a+rX /tmp/wheels

cat >/tmp/try.sh <<'EOF'
set -euo pipefail
# What uv installs outside of virtual environments is root's.
who=$(id -u)
cd /tmp
version() { "$1" -c 'import importlib.metadata as m; print(m.version("torch"))'; }
wanted=$(version python3)
links=(--no-index --find-links /tmp/wheels)
refuses() {
    if "$@" >/tmp/said-"$who" 2>&1; then
        echo "$*: it was not refused"
        cat /tmp/said-"$who"
        exit 1
    fi
    grep -iE 'torch==|constraint' /tmp/said-"$who" | head -1
}
stays() {
    [ "$(version python3)" = "$wanted" ]
}

pip=(python3 -m pip install --quiet --no-warn-script-location "${links[@]}")
"${pip[@]}" check_wheel
python3 -c 'import check_wheel; print("pip:", check_wheel.__file__)'
refuses "${pip[@]}" check_other_torch
refuses "${pip[@]}" --upgrade torch==99.0
"${pip[@]}" --upgrade torch
stays
python3 -m pip uninstall --quiet --yes --break-system-packages check_wheel

uv=(uv pip install --quiet --offline "${links[@]}")
if [ "$who" = 0 ]; then
    "${uv[@]}" --system check_wheel
    python3 -c 'import check_wheel; print("uv:", check_wheel.__file__)'
    uv pip uninstall --quiet --system check_wheel
    refuses "${uv[@]}" --system check_other_torch
    refuses "${uv[@]}" --system --upgrade torch==99.0
    stays
fi

environment=/tmp/environment-$who
uv venv --quiet --offline --system-site-packages "$environment"
# shellcheck disable=SC1091 # made here
source "$environment/bin/activate"
"${uv[@]}" check_wheel
python -c 'import check_wheel, sys; print("uv:", check_wheel.__file__); assert check_wheel.__file__.startswith(sys.prefix)'
refuses "${uv[@]}" check_other_torch
refuses "${uv[@]}" torch==99.0
deactivate
stays
EOF
echo as root
bash /tmp/try.sh
echo as a user
mkdir -p /tmp/home
chown 1234:1234 /tmp/home
HOME=/tmp/home setpriv --reuid 1234 --regid 1234 --clear-groups bash /tmp/try.sh
