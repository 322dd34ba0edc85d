__global__ void two(float *values) { values[threadIdx.x] += 2; }

int launch_two(float *values) {
    two<<<1, 32>>>(values);
    return static_cast<int>(cudaGetLastError());
}
