"""Matrix products on the GPU against fp64 on the CPU, and their speed.

The difference is measured against the largest element of the product. Tolerances: the sum of
1024 products in fp32 is right to some 1e-6; the result is then rounded to 11 bits (fp16) or
8 bits (bf16).
"""

import torch

SIZE, SPEED_SIZE = 1024, 4096
TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}

# Not on some machines in another precision than asked for.
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False

print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
failed = []
for dtype, tolerance in TOLERANCE.items():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(SIZE, SIZE, generator=generator).to(dtype)
    b = torch.randn(SIZE, SIZE, generator=generator).to(dtype)
    expected = a.double() @ b.double()
    found = (a.cuda() @ b.cuda()).double().cpu()
    error = ((found - expected).abs().max() / expected.abs().max()).item()

    large = torch.randn(SPEED_SIZE, SPEED_SIZE, device="cuda").to(dtype)
    large @ large
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(10):
        large @ large
    end.record()
    torch.cuda.synchronize()
    tflops = 10 * 2 * SPEED_SIZE**3 / start.elapsed_time(end) / 1e9
    print(f"{dtype}: relative difference {error:.1e} (at most {tolerance:.0e}), {tflops:.1f} TFLOP/s")
    if not error <= tolerance:
        failed.append(dtype)
assert not failed, failed
