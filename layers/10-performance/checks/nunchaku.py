"""nunchaku's 4-bit linear layer against the product it stands for.

All weights are equal, so that their packed order does not matter: each output is the sum of
the inputs. Tolerance: 5 % for inputs between 0.5 and 1 that are rounded to 4 bits each.
"""

import json
import pathlib
import sys
import time

import torch
from nunchaku.models.linear import SVDQW4A4Linear

TOLERANCE = 0.05
TOKENS, WIDTH, OUT = 512, 1024, 2048
RECORD = pathlib.Path("/usr/local/share/comfyui-boot/cuda-architectures.json")


def majors():
    """Major versions of the devices that it has code for."""
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if "nunchaku" not in record:
        # Upstream's own wheels: 7.5 to 8.9, and 12.x.
        return {7, 8, 12}
    return {int(one.split(".")[0]) for one in record["nunchaku"]["modules"]["_C"]}


capability = torch.cuda.get_device_capability()
if capability[0] not in majors():
    print(f"nunchaku has no kernels for compute capability {capability[0]}.{capability[1]}")
    sys.exit(77)
fp4 = capability[0] >= 12
# The code of the number 1: in int4 it is 1, in fp4 (e2m1) it is 2; two in each byte.
code = 0x22 if fp4 else 0x11
layer = SVDQW4A4Linear(
    WIDTH, OUT, precision="nvfp4" if fp4 else "int4", torch_dtype=torch.bfloat16, device=torch.device("cuda")
)
with torch.no_grad():
    layer.qweight.fill_(code)
    layer.wscales.copy_(torch.ones_like(layer.wscales, dtype=torch.float32))
    for parameter in (layer.bias, layer.proj_down, layer.proj_up):
        parameter.zero_()
    layer.smooth_factor.fill_(1)

    generator = torch.Generator(device="cuda").manual_seed(0)
    x = torch.rand(1, TOKENS, WIDTH, device="cuda", generator=generator).mul(0.5).add(0.5).bfloat16()
    expected = x.float().sum(dim=-1, keepdim=True).expand(1, TOKENS, OUT)
    found = layer(x).float()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(10):
        layer(x)
    torch.cuda.synchronize()
    milliseconds = 100 * (time.perf_counter() - start)
error = ((found - expected).abs() / expected).max().item()
print(f"{torch.cuda.get_device_name()}, {layer.precision}: {milliseconds:.3f} ms for {TOKENS}x{WIDTH} by {OUT}")
print(f"largest relative difference {error:.4f} (at most {TOLERANCE})")
assert error <= TOLERANCE
