# Builds $program from vendored crates. Runs inside the root.
set -euo pipefail
mkdir -p /build/vendor /build/work/.cargo
read -r -a files <<<"$crates"
read -r -a ids <<<"$crateIds"
for index in "${!files[@]}"; do
    id=${ids[$index]}
    tar -xzf "${files[$index]}" -C /build/vendor
    printf '{"files":{},"package":"%s"}' "${id#*:}" >"/build/vendor/${id%%:*}/.cargo-checksum.json"
done

cd /build/work
cp "$manifest" Cargo.toml
cp -r "$source" src
chmod -R u+w .
# No Cargo.lock: cargo has one version of each crate to choose from, the locked one.
sed -i '/^\[dev-dependencies\]/,/^\[/{/^\[dev-dependencies\]/d;/^\[/!d}; /^\[\[bench\]\]/,/^$/d' Cargo.toml
cat >.cargo/config.toml <<'EOF'
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "/build/vendor"
[target.x86_64-unknown-linux-gnu]
rustflags = ["-C", "target-feature=+crt-static", "--remap-path-prefix", "/build=/"]
EOF
# Arguments are read once, and clap is what takes longest to optimize.
if grep -q '^clap = ' Cargo.toml; then
    printf '[profile.release.package.%s]\nopt-level = 0\n' clap_builder clap_lex >>.cargo/config.toml
fi
export CARGO_HOME=/build/scratch/cargo
cargo build --release --offline --target x86_64-unknown-linux-gnu --features "${features:-}"
mkdir -p "$out/$destination"
cp "target/x86_64-unknown-linux-gnu/release/$program" "$out/$destination/"
"$out/$destination/$program" --version
