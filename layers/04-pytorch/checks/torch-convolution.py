"""A convolution by cuDNN and its gradients, against fp64 on the CPU.

The difference is measured against the largest element. Tolerances: sums of up to 131072
products in fp32, and results of 8 bits in bf16.
"""

import torch

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}

assert torch.backends.cudnn.is_available(), "torch does not find cuDNN"
torch.backends.cudnn.allow_tf32 = False
print(f"cuDNN {torch.backends.cudnn.version()}")


def convolve(image, weight):
    """The convolution, and its gradients for a loss of which every element has a share."""
    image, weight = image.detach().requires_grad_(), weight.detach().requires_grad_()
    out = torch.nn.functional.conv2d(image, weight, padding=1, stride=2)
    out.backward(torch.ones_like(out))
    return out.detach(), image.grad, weight.grad


failed = []
for dtype, tolerance in TOLERANCE.items():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(8, 32, 128, 128, generator=generator).to(dtype)
    weight = (torch.randn(64, 32, 3, 3, generator=generator) / 17).to(dtype)
    expected = convolve(image.double(), weight.double())
    found = convolve(image.cuda(), weight.cuda())
    for name, reference, result in zip(("forward", "image gradient", "weight gradient"), expected, found):
        error = ((result.double().cpu() - reference).abs().max() / reference.abs().max()).item()
        print(f"{dtype} {name}: relative difference {error:.1e} (at most {tolerance:.0e})")
        if not error <= tolerance:
            failed.append((dtype, name))
assert not failed, failed
