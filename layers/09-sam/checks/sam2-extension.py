"""SAM-2's CUDA extension: connected components with 8 neighbors, against SciPy's.

The labels may be any numbers, so the comparison is of the sets of pixels and of their areas.
"""

import time

import scipy.ndimage
import torch
from sam2.utils.misc import get_connected_components

generator = torch.Generator().manual_seed(0)
# A third of the pixels: some hundred components of all sizes.
masks = torch.rand(4, 1, 256, 256, generator=generator) < 0.33
device_masks = masks.cuda()
get_connected_components(device_masks)
torch.cuda.synchronize()
start = time.perf_counter()
labels, areas = get_connected_components(device_masks)
torch.cuda.synchronize()
milliseconds = 1e3 * (time.perf_counter() - start)
labels, areas = labels.cpu().numpy(), areas.cpu().numpy()

faults = total = 0
for index, mask in enumerate(masks[:, 0].numpy()):
    expected, count = scipy.ndimage.label(mask, structure=[[1, 1, 1]] * 3)
    total += count
    sizes = scipy.ndimage.sum_labels(mask, expected, range(count + 1))
    pairs = set(zip(expected[mask].tolist(), labels[index, 0][mask].tolist()))
    # One to one: as many pairs as labels on either side.
    faults += len(pairs) != count or len({label for _, label in pairs}) != count
    faults += int((areas[index, 0][mask] != sizes[expected[mask]]).sum())
    faults += int((labels[index, 0][~mask] != 0).sum())
print(f"{total} components in {len(masks)} masks, {milliseconds:.2f} ms, {faults} differences")
assert faults == 0
