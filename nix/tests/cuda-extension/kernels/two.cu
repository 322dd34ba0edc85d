// Names that nobody outside of this file knows: they have the file's identifier in them.
namespace {
struct Two {
    float value;
};
__constant__ float two_more[1] = {2};

template <typename T> __global__ void two(T *values) {
#if __CUDA_ARCH__ >= 900
    values[threadIdx.x].value = values[threadIdx.x].value + two_more[0];
#else
    values[threadIdx.x].value += two_more[0];
#endif
}
} // namespace

int launch_two(float *values) {
    two<<<1, 32>>>(reinterpret_cast<Two *>(values));
    return static_cast<int>(cudaGetLastError());
}
