"""flash_attn against PyTorch's attention, forward and backward, in fp16 and bf16.

The reference is PyTorch's plain attention in fp32. Tolerance: not further from it than twice
(forward) or three times (gradients) PyTorch's plain attention in the same type, plus what one
rounding of the largest value costs.
"""

import flash_attn
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

BATCH, HEADS, LENGTH = 2, 8, 1024
SPEED = (1, 16, 4096, 128)  # plain attention then takes some 3 GB
ROUNDING = {torch.float16: 2**-11, torch.bfloat16: 2**-8}


def ours(q, k, v, causal):
    # Its layout has the length before the heads.
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return flash_attn.flash_attn_func(q, k, v, causal=causal).transpose(1, 2)


def plain(q, k, v, causal):
    with sdpa_kernel(SDPBackend.MATH):
        return scaled_dot_product_attention(q, k, v, is_causal=causal)


def best(q, k, v, causal):
    return scaled_dot_product_attention(q, k, v, is_causal=causal)


def with_gradients(attention, inputs, gradient, causal):
    inputs = [x.detach().requires_grad_() for x in inputs]
    out = attention(*inputs, causal)
    out.backward(gradient.to(out.dtype))
    return [out.detach().float(), *(x.grad.float() for x in inputs)]


def milliseconds(attention, inputs, gradient):
    with_gradients(attention, inputs, gradient, True)
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(5):
        with_gradients(attention, inputs, gradient, True)
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 5


print(f"flash_attn {flash_attn.__version__} on {torch.cuda.get_device_name()}")
failed = []
for dtype, rounding in ROUNDING.items():
    for dimension in (64, 128):
        for causal in (False, True):
            torch.manual_seed(0)
            shape = (BATCH, HEADS, LENGTH, dimension)
            *inputs, gradient = (torch.randn(shape, device="cuda", dtype=dtype) for _ in range(4))
            expected = with_gradients(plain, [x.float() for x in inputs], gradient.float(), causal)
            same_type = with_gradients(plain, inputs, gradient, causal)
            found = with_gradients(ours, inputs, gradient, causal)
            figures = []
            for name, e, s, f in zip(("forward", "dq", "dk", "dv"), expected, same_type, found):
                error, allowed = (f - e).abs().max().item(), (s - e).abs().max().item()
                allowed = allowed * (2 if name == "forward" else 3) + rounding * e.abs().max().item()
                figures.append(f"{name} {error:.1e} (at most {allowed:.1e})")
                if not error <= allowed:
                    failed.append((dtype, dimension, causal, name))
            print(f"{dtype}, {dimension} wide, {'causal' if causal else 'full'}: {', '.join(figures)}")

*inputs, gradient = (torch.randn(SPEED, device="cuda", dtype=torch.bfloat16) for _ in range(4))
times = {attention.__name__: milliseconds(attention, inputs, gradient) for attention in (ours, best, plain)}
print(
    f"forward and backward of {SPEED}: {times['ours']:.2f} ms, PyTorch's choice {times['best']:.2f} ms, "
    f"its plain attention {times['plain']:.2f} ms"
)
assert not failed, failed
assert times["ours"] < times["plain"], "slower than plain attention"
