"""CuPy: a kernel compiled by NVRTC, an elementwise expression, and a product, against NumPy.

Tolerances: none for the kernel, whose operations are exact; 1e-12 for a product in fp64.
"""

import time

import cupy
import numpy

SOURCE = r"""
extern "C" __global__ void scale_add(const double *x, double *y, double a, int n) {
    int i = blockDim.x * blockIdx.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
"""
N = 1 << 20

runtime, nvrtc = cupy.cuda.runtime.runtimeGetVersion(), cupy.cuda.nvrtc.getVersion()
print(f"cupy {cupy.__version__}, CUDA runtime {runtime}, NVRTC {nvrtc[0]}.{nvrtc[1]}")
x = numpy.arange(N, dtype=numpy.float64)
device_x, device_y = cupy.asarray(x), cupy.ones(N)
start = time.perf_counter()
kernel = cupy.RawKernel(SOURCE, "scale_add", backend="nvrtc")
kernel((N // 256,), (256,), (device_x, device_y, numpy.float64(2), numpy.int32(N)))
cupy.cuda.Device().synchronize()
seconds = time.perf_counter() - start
n_wrong = int((cupy.asnumpy(device_y) != 2 * x + 1).sum())
print(f"kernel: compiled and run in {seconds:.2f} s, {n_wrong} of {N} elements wrong")

fused = abs(cupy.asnumpy(cupy.sin(device_x) ** 2 + cupy.cos(device_x) ** 2) - 1).max()
a = numpy.random.default_rng(0).standard_normal((512, 512))
expected = a @ a
product = abs(cupy.asnumpy(cupy.asarray(a) @ cupy.asarray(a)) - expected).max() / abs(expected).max()
print(f"sin²+cos²: largest difference {fused:.1e}; product: relative difference {product:.1e} (both at most 1e-12)")
assert n_wrong == 0 and fused <= 1e-12 and product <= 1e-12

del device_x, device_y
pool = cupy.get_default_memory_pool()
pool.free_all_blocks()
print(f"{pool.used_bytes()} bytes still in use")
assert pool.used_bytes() == 0
