"""The native code that ComfyUI falls back without, silently, is there or known not to be.

comfy-aimdo's library is loaded by ctypes, and every function that it is given types for must be
in it. comfy-kitchen's CUDA backend is an extension module: free-threaded Python has none, as
`package-lists/exclusions.toml` says, and one that appears should be said too.
"""

import sysconfig

import comfy_aimdo.control
import comfy_kitchen
import torch

free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
faults = []

if comfy_aimdo.control.init("cuda"):
    print(f"comfy-aimdo: {comfy_aimdo.control.lib._name}")
else:
    faults.append("comfy-aimdo has no library that loads: ComfyUI takes its older memory management")

expected = {"eager"}
if torch.cuda.is_available():
    expected |= {"triton"} if free_threaded else {"triton", "cuda"}
backends = comfy_kitchen.list_backends()
for name, backend in sorted(backends.items()):
    reason = backend["unavailable_reason"]
    print(f"comfy-kitchen: {name}, {reason or len(backend['capabilities'])}")
available = {name for name, backend in backends.items() if backend["available"]}
if available != expected:
    faults.append(f"comfy-kitchen has {sorted(available)}, expected {sorted(expected)}")
# Without a GPU the reason says whether the extension was imported.
if not torch.cuda.is_available():
    has_extension = backends["cuda"]["unavailable_reason"] == "CUDA not available on this system"
    if has_extension == free_threaded:
        faults.append(f"comfy-kitchen's extension is {'' if has_extension else 'not '}there")
assert not faults, "\n".join(faults)
