set -euo pipefail
cd "$(mktemp -d)"
cat >saxpy.cu <<'END'
#include <cstdio>
#include <vector>

#define TRY(call)                                                                                  \
    if (cudaError_t status = (call); status != cudaSuccess) {                                      \
        std::printf("%s: %s\n", #call, cudaGetErrorString(status));                               \
        return 1;                                                                                  \
    }

__global__ void saxpy(int n, float a, const float *x, float *y) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] += a * x[i];
}

int main() {
    constexpr int n = 1 << 24, repeats = 20;
    std::vector<float> x(n), y(n, 1.0f);
    for (int i = 0; i < n; ++i) x[i] = float(i % 1000);
    float *device_x, *device_y;
    TRY(cudaMalloc(&device_x, n * sizeof(float)));
    TRY(cudaMalloc(&device_y, n * sizeof(float)));
    TRY(cudaMemcpy(device_x, x.data(), n * sizeof(float), cudaMemcpyHostToDevice));
    TRY(cudaMemcpy(device_y, y.data(), n * sizeof(float), cudaMemcpyHostToDevice));
    saxpy<<<1024, 256>>>(n, 2.0f, device_x, device_y);
    TRY(cudaGetLastError());
    TRY(cudaMemcpy(y.data(), device_y, n * sizeof(float), cudaMemcpyDeviceToHost));
    int n_wrong = 0;
    for (int i = 0; i < n; ++i) n_wrong += y[i] != 1.0f + 2.0f * x[i];
    cudaEvent_t start, end;
    TRY(cudaEventCreate(&start));
    TRY(cudaEventCreate(&end));
    TRY(cudaEventRecord(start));
    for (int i = 0; i < repeats; ++i) saxpy<<<1024, 256>>>(n, 0.0f, device_x, device_y);
    TRY(cudaEventRecord(end));
    TRY(cudaEventSynchronize(end));
    float milliseconds = 0;
    TRY(cudaEventElapsedTime(&milliseconds, start, end));
    std::printf("%d of %d elements wrong, %.0f GB/s\n", n_wrong, n,
                3.0 * n * sizeof(float) * repeats / milliseconds / 1e6);
    TRY(cudaFree(device_x));
    TRY(cudaFree(device_y));
    return n_wrong != 0;
}
END
nvcc -O2 -arch=native -o saxpy saxpy.cu
./saxpy
