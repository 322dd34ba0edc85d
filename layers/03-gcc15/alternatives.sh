# Makes GCC 15 the default under every name that build systems look for.
set -eu
slaves=()
# Names of their own: `cpp` is a group of Debian's already.
for tool in g++ cpp gcc-ar gcc-nm gcc-ranlib gcov gcov-dump gcov-tool; do
    slaves+=(--slave "/usr/bin/$tool" "default-$tool" "/usr/bin/$tool-15")
done
# Debian's `gcc` and `g++` packages own these names as links to version 14: the alternative
# takes their place, and the diversions keep dpkg from putting them back.
for tool in gcc g++ cpp gcc-ar gcc-nm gcc-ranlib gcov gcov-dump gcov-tool; do
    if [ -e "/usr/bin/$tool" ] && [ ! -e "/usr/bin/$tool.distrib" ]; then
        dpkg-divert --quiet --local --rename --divert "/usr/bin/$tool.distrib" --add "/usr/bin/$tool"
    fi
done
update-alternatives --install /usr/bin/gcc default-gcc /usr/bin/gcc-15 150 "${slaves[@]}"
update-alternatives --set cc /usr/bin/gcc
update-alternatives --set c++ /usr/bin/g++
gcc --version | head -n 1
