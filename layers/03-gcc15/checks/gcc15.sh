set -euo pipefail
for tool in gcc g++ cpp cc c++ "${CC:?}" "${CXX:?}" "${CPP:?}"; do
    # CPP may hold flags.
    read -ra words <<<"$tool"
    version=$("${words[@]}" -dumpversion </dev/null)
    echo "$tool: $version"
    [[ $version == 15* ]]
done
cd "$(mktemp -d)"
cat >hello.cpp <<'EOF'
#include <format>
#include <print>
int main() {
    std::println("{}", std::format("GCC {}.{}", __GNUC__, __GNUC_MINOR__));
    return __GNUC__ == 15 ? 0 : 1;
}
EOF
g++ -std=c++23 -O2 -o hello hello.cpp
./hello
