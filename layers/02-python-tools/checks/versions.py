"""Compares the installed distributions with the Python lock, which comes on standard input.

The arguments are the layers of the image, and `--without-git` for one that leaves out what
comes from git. Distributions from git have no version in the lock.
"""

import importlib.metadata
import re
import sys
import tomllib

# NVIDIA's files are in the first layer; what Python wants to know of them comes with PyTorch.
METADATA_LAYER = {"01-base-cuda": "04-pytorch"}

layers = set(sys.argv[1:])
lock = tomllib.load(sys.stdin.buffer)
if "--without-git" in layers:
    lock["git"] = []


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


expected = {
    normalized(one["name"]): one.get("version")
    for one in [*lock.get("package", []), *lock.get("git", []), *lock.get("provided", [])]
    if METADATA_LAYER.get(one["layer"], one["layer"]) in layers
}
found = {normalized(one.metadata["Name"]): one.version for one in importlib.metadata.distributions()}

faults = 0
for name in sorted(expected.keys() | found.keys()):
    if name not in found:
        print(f"{name}: in the lock, not in the image")
    elif name not in expected:
        print(f"{name} {found[name]}: in the image, not in the lock")
    elif expected[name] is not None and expected[name] != found[name]:
        print(f"{name}: the lock has {expected[name]}, the image {found[name]}")
    else:
        continue
    faults += 1
print(f"{len(expected)} distributions in the lock, {len(found)} in the image, {faults} differ")
sys.exit(bool(faults))
