"""`torch.compile` on the GPU: Triton compiles the kernel, GCC its launcher, and it is right."""

import time

import torch
import triton
from torch._inductor import metrics


def function(x, y):
    return torch.nn.functional.gelu(x) * y.sigmoid() + x.mean(dim=-1, keepdim=True)


generator = torch.Generator(device="cuda").manual_seed(0)
x, y = (torch.randn(4096, 4096, device="cuda", generator=generator) for _ in range(2))
compiled = torch.compile(function)
start = time.perf_counter()
found = compiled(x, y)
torch.cuda.synchronize()
seconds = time.perf_counter() - start
error = (found - function(x, y)).abs().max().item()
print(f"triton {triton.__version__}, compiled in {seconds:.1f} s, {metrics.generated_kernel_count} kernels")


def milliseconds(run):
    run(x, y)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(20):
        run(x, y)
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 20


print(f"{milliseconds(function):.3f} ms as written, {milliseconds(compiled):.3f} ms compiled")
print(f"largest difference {error:.1e} (at most 1e-4)")
assert metrics.generated_kernel_count > 0, "nothing was compiled"
assert error <= 1e-4
