set -euo pipefail
# No network: what apt would fetch, and by which keys it would believe it.
apt-get update --print-uris | cut -d "'" -f 2 | tee /tmp/releases
for suite in trixie trixie-updates trixie-security; do
    grep "/dists/$suite/InRelease$" /tmp/releases >/dev/null
done
sed -n 's/^Signed-By: //p' /etc/apt/sources.list.d/debian.sources | while read -r keyring; do
    test -s "$keyring"
    echo "$keyring"
done
audit=$(dpkg --audit)
test -z "$audit" || {
    echo "$audit"
    exit 1
}
apt-get check
git lfs version
git config --system --get filter.lfs.required
