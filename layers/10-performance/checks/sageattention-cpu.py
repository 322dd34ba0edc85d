"""sageattention's Triton kernels against PyTorch's attention in fp32, on the processor.

Triton's interpreter computes what each program of a kernel says, with NumPy. Tolerance as on a
GPU: cosine similarity of at least 0.99, mean difference at most 10 % of the mean value. A kernel
that is wrong on purpose must be found: attention without its scale is further away.

Version 1.0.6 counts the keys that its last block of 64 lacks as if they were zeros, unless it is
causal: it is right for whole blocks only. What it does for others is printed and not judged.
"""

import importlib.metadata
import os
import sys
import time

os.environ["TRITON_INTERPRET"] = "1"

if not importlib.metadata.version("sageattention").startswith("1."):
    print("its kernels are compiled, which Triton's interpreter does not run")
    sys.exit(77)

import torch
from sageattention.attn_qk_int8_per_block import forward
from sageattention.attn_qk_int8_per_block_causal import forward as forward_causal
from sageattention.quant_per_block import per_block_int8
from torch.nn.functional import cosine_similarity, scaled_dot_product_attention

LENGTH, NO_WHOLE_BLOCKS = 256, 200


def sage(q, k, v, causal, scale=None):
    """`sageattn`, which takes nothing but a GPU's tensors."""
    k = k - k.mean(dim=2, keepdim=True)
    q_int8, q_scale, k_int8, k_scale = per_block_int8(q, k, sm_scale=scale)
    attention = forward_causal if causal else forward
    return attention(q_int8, k_int8, v.half(), q_scale, k_scale, output_dtype=q.dtype).float()


def distance(found, expected):
    similarity = cosine_similarity(found.flatten(), expected.flatten(), dim=0).item()
    return similarity, ((found - expected).abs().mean() / expected.abs().mean()).item()


def compare(dtype, length, width, causal, scale=None):
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, length, width, dtype=dtype) for _ in range(3))
    start = time.perf_counter()
    found = sage(q, k, v, causal, scale)
    took = time.perf_counter() - start
    expected = scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=causal)
    similarity, error = distance(found, expected)
    kind = "causal" if causal else "full"
    print(
        f"{dtype}, length {length}, {width} wide, {kind}: cosine {similarity:.5f}, "
        f"mean difference {100 * error:.1f} %, {took:.1f} s"
    )
    return similarity >= 0.99 and error <= 0.1


failed = []
for dtype in (torch.float16, torch.bfloat16):
    for width in (64, 128):
        for causal in (False, True):
            if not compare(dtype, LENGTH, width, causal):
                failed.append((dtype, width, causal))
compare(torch.float16, NO_WHOLE_BLOCKS, 64, causal=False)
print("without its scale:")
assert not compare(torch.float16, LENGTH, 64, False, scale=1.0), "a wrong result counts as close"
assert not failed, failed
