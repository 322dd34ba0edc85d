"""sageattention against PyTorch's attention in fp32.

It quantizes q and k to int8 (and v to fp8 on newer GPUs), so it is close, not equal.
Tolerance: cosine similarity of at least 0.99, mean difference at most 10 % of the mean value.
"""

import torch
from sageattention import sageattn
from torch.nn.functional import scaled_dot_product_attention

SPEED = (4, 16, 8192, 128)


def milliseconds(attention, inputs):
    attention(*inputs)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(10):
        attention(*inputs)
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 10


print(torch.cuda.get_device_name())
failed = []
for dtype in (torch.float16, torch.bfloat16):
    for dimension in (64, 128):
        for causal in (False, True):
            torch.manual_seed(0)
            q, k, v = (torch.randn(2, 8, 1024, dimension, device="cuda", dtype=dtype) for _ in range(3))
            found = sageattn(q, k, v, tensor_layout="HND", is_causal=causal).float()
            expected = scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=causal)
            similarity = torch.nn.functional.cosine_similarity(found.flatten(), expected.flatten(), dim=0).item()
            error = ((found - expected).abs().mean() / expected.abs().mean()).item()
            kind = "causal" if causal else "full"
            print(f"{dtype}, {dimension} wide, {kind}: cosine {similarity:.5f}, mean difference {100 * error:.1f} %")
            if not (similarity >= 0.99 and error <= 0.1):
                failed.append((dtype, dimension, causal))

inputs = [torch.randn(SPEED, device="cuda", dtype=torch.bfloat16) for _ in range(3)]
ours = milliseconds(lambda q, k, v: sageattn(q, k, v, tensor_layout="HND"), inputs)
theirs = milliseconds(scaled_dot_product_attention, inputs)
print(f"forward of {SPEED}: {ours:.2f} ms, PyTorch's choice {theirs:.2f} ms")
assert not failed, failed
