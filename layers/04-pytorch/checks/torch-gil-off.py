"""Importing PyTorch must not turn the GIL on."""

import sys
import sysconfig

import torch
import torchaudio
import torchvision

print(torch.__version__, torchvision.__version__, torchaudio.__version__)
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    assert not sys._is_gil_enabled()
