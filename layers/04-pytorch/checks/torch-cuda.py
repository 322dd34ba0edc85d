"""PyTorch on a GPU: cuBLAS, cuDNN, and a compiled kernel."""

import torch

assert torch.cuda.is_available()
print(torch.cuda.get_device_name())
a, b = torch.randn(256, 256), torch.randn(256, 256)
torch.testing.assert_close((a.cuda() @ b.cuda()).cpu(), a @ b, rtol=1e-2, atol=1e-2)
convolution = torch.nn.Conv2d(3, 8, 3)
image = torch.randn(1, 3, 32, 32)
expected = convolution(image)
found = convolution.cuda()(image.cuda()).cpu()
torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)

compiled = torch.compile(lambda x: torch.sin(x) + 1)
x = torch.randn(1000, device="cuda")
torch.testing.assert_close(compiled(x), torch.sin(x) + 1)
