set -euo pipefail
cd "$(mktemp -d)"
git init --quiet .
cat >CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(answer CXX)
add_executable(answer answer.cpp)
EOF
echo 'int main() { return 42; }' >answer.cpp
git add .
git -c user.name=check -c user.email=check@example.invalid commit --quiet -m check
test -z "$(git status --porcelain)"
cmake -G Ninja -S . -B build
cmake --build build
status=0
./build/answer || status=$?
test "$status" = 42
