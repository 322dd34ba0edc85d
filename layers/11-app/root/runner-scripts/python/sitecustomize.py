"""Ends ComfyUI's Python at once when comfy-start asked for its end.

When all is saved, CPython takes every object apart, which takes seconds with PyTorch loaded:
an engine kills what takes too long to stop. comfy-start closes its end of a pipe when it asks.
A restart by `exec` keeps pipe and environment; a child process has another parent.
"""

import atexit
import os
import stat
import sys


def register():
    parent, _, descriptor = os.environ.get("COMFY_START_PIPE", "").partition(":")
    if not descriptor or parent != str(os.getppid()):
        return
    pipe = int(descriptor)
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        return
    os.set_blocking(pipe, False)
    # Registered first, called last.
    atexit.register(end_at_once, pipe, os.getpid())


def end_at_once(pipe, process):
    try:
        is_asked = os.getpid() == process and os.read(pipe, 1) == b""
    except BlockingIOError:
        return
    if is_asked:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


try:
    register()
except (OSError, ValueError):
    # Then it ends as any Python does.
    pass
