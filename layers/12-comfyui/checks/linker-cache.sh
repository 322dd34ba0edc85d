set -euo pipefail
# Without the header, which names the version that wrote it.
ldconfig -p | grep '=>' | sort >/tmp/before
ldconfig
ldconfig -p | grep '=>' | sort >/tmp/after
diff /tmp/before /tmp/after | head -n 40
cmp /tmp/before /tmp/after
