set -euo pipefail
directory=$(python3 -c 'import importlib.util; print(*importlib.util.find_spec("torch").submodule_search_locations)')/lib
missing=$(find "$directory" -name '*.so*' -type f -exec ldd {} + 2>/dev/null |
    grep 'not found' | grep -v 'libcuda\.so' | sort -u || true)
echo "$missing"
test -z "$missing"
