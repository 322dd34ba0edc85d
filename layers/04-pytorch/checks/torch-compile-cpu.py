"""`torch.compile` on the CPU: the generated C++ is compiled, loaded, and right."""

import time

import torch
from torch._inductor import metrics


def function(x, y):
    return torch.nn.functional.gelu(x) * y.sigmoid() + x.mean(dim=-1, keepdim=True)


generator = torch.Generator().manual_seed(0)
x, y = torch.randn(64, 512, generator=generator), torch.randn(64, 512, generator=generator)
compiled = torch.compile(function)
start = time.perf_counter()
found = compiled(x, y)
seconds = time.perf_counter() - start
error = (found - function(x, y)).abs().max().item()
print(f"compiled in {seconds:.1f} s, {metrics.generated_kernel_count} kernels, largest difference {error:.1e} (at most 1e-5)")
assert metrics.generated_kernel_count > 0, "nothing was compiled"
assert error <= 1e-5
