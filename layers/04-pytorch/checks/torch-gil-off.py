"""Importing PyTorch must not turn the GIL on.

`torchvision` does: it loads Triton's compiler, which has not declared free-threading.
"""

import sys
import sysconfig

import torch

print(torch.__version__)
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    assert not sys._is_gil_enabled()
