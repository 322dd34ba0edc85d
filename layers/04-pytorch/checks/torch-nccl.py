"""NCCL with one process: its library loads, finds an interface and the GPU, and reduces."""

import tempfile
import time

import torch
import torch.distributed

version = ".".join(map(str, torch.cuda.nccl.version()))
torch.cuda.set_device(0)
with tempfile.NamedTemporaryFile() as meeting:
    start = time.perf_counter()
    torch.distributed.init_process_group("nccl", init_method=f"file://{meeting.name}", rank=0, world_size=1)
    values = torch.arange(1_000_000, dtype=torch.float32, device="cuda")
    expected = values.clone()
    torch.distributed.all_reduce(values)
    torch.distributed.barrier()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    torch.distributed.destroy_process_group()
print(f"NCCL {version}, started and reduced in {seconds:.2f} s, {int((values != expected).sum())} elements differ")
assert torch.equal(values, expected)
