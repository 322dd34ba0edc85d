set -euo pipefail
nvcc --version | grep 'release 13\.0'
find / -xdev -type f -name 'libcublasLt.so*' >/tmp/found
cat /tmp/found
test "$(wc -l </tmp/found)" = 1
