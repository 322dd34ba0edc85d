#!/bin/bash
# Compiles and links a CUDA kernel with nvcc and the default host compiler.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/kernel.cu" <<'EOF'
#include <cuda_runtime.h>
#include <format>
#include <iostream>
__global__ void add(float *x, float y) { x[threadIdx.x] += y; }
int main() {
    int version = 0;
    cudaRuntimeGetVersion(&version);
    std::cout << std::format("runtime {}\n", version);
    add<<<1, 32>>>(nullptr, 1.0f);
    return 0;
}
EOF
nvcc -std=c++20 -arch=sm_90 -o "$work/kernel" "$work/kernel.cu" -lcudart
"$work/kernel"
nvcc --version | grep release
"${CXX:-g++}" --version | head -n 1
