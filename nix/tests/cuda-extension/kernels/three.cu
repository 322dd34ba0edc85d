__global__ void three(float *values) { values[threadIdx.x] += 3; }

int launch_three(float *values) {
    three<<<1, 32>>>(values);
    return static_cast<int>(cudaGetLastError());
}
