"""PyTorch without a GPU: operators, autograd, threads, and the CUDA it was built for."""

import concurrent.futures
import importlib.util

import torch
import torchvision

assert torch.version.cuda == "13.0", torch.version.cuda
# Their own checks compare the major version only; PTX of a newer minor one is refused by the
# drivers that the image asks for. The numbers are `1000 * major + 10 * minor`.
built_for = {"torchvision": torch.ops.torchvision._cuda_version()}
if importlib.util.find_spec("torchaudio"):
    importlib.import_module("torchaudio")
    built_for["torchaudio"] = torch.ops._torchaudio.cuda_version()
assert set(built_for.values()) == {13000}, built_for


def train(seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(64, 64, generator=generator, requires_grad=True)
    (weight @ weight).square().mean().backward()
    return weight.grad


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    side_by_side = list(pool.map(train, range(8)))
for seed, found in enumerate(side_by_side):
    torch.testing.assert_close(found, train(seed))

boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
assert torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0]
