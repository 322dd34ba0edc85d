set -euo pipefail
cd "$(mktemp -d)"
cat >kernel.cu <<'EOF'
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cstdio>
#if __GNUC__ != 15
#error "the host compiler is not GCC 15"
#endif
__global__ void add(float *x, float y) { x[threadIdx.x] += y; }
int main() {
    int version = 0;
    cudaRuntimeGetVersion(&version);
    std::printf("CUDA runtime %d, cuBLAS for %zu\n", version, cublasGetCudartVersion());
    add<<<1, 32>>>(nullptr, 1.0f);
    return version / 10 == 1300 ? 0 : 1;
}
EOF
nvcc --version | grep 'release 13\.0'
nvcc -ccbin "$(command -v g++-15)" -std=c++20 -arch=sm_90 -o kernel kernel.cu -lcublas
./kernel
# Without `-ccbin`, as build systems call it.
nvcc -std=c++17 -arch=sm_80 -o kernel kernel.cu -lcublas
