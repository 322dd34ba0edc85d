__global__ void one(float *values) { values[threadIdx.x] += 1; }

int launch_one(float *values) {
    one<<<1, 32>>>(values);
    return static_cast<int>(cudaGetLastError());
}
