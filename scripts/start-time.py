"""Measures the first start and the later ones, in a container that has just begun.

    podman run --rm -v ./scripts:/scripts:ro IMAGE python3 /scripts/start-time.py import torch
    podman run --rm -v ./scripts:/scripts:ro -v ./ComfyUI:/ComfyUI -e COMFYUI_DIR=/ComfyUI \\
        IMAGE python3 /scripts/start-time.py comfyui

`import` imports the named modules, `comfyui` starts ComfyUI by the entrypoint, without a GPU,
until it answers over HTTP with status 200. The first line is the fresh container's.
"""

import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

RUNS = 3
ADDRESS = "http://127.0.0.1:8188/"
LIMIT = 600  # seconds


def import_modules(modules):
    program = "".join(f"import {module}\n" for module in modules)
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def start_comfyui(_):
    command = ["bash", "/runner-scripts/entrypoint.sh"]
    environment = os.environ | {"CLI_ARGS": "--cpu"}
    with subprocess.Popen(command, stdout=2, env=environment) as process:
        wait_for_answer(process)
        yield
        process.send_signal(signal.SIGINT)


def wait_for_answer(process):
    begun = time.monotonic()
    while time.monotonic() - begun < LIMIT:
        if process.poll() is not None:
            sys.exit(f"error: the entrypoint ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(ADDRESS, timeout=10) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.05)
    sys.exit(f"error: no answer after {LIMIT} s")


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    match sys.argv[1:]:
        case ["import", *modules] if modules:
            what = import_modules
        case ["comfyui"]:
            what = start_comfyui
            modules = []
        case _:
            sys.exit(__doc__)
    for _ in range(RUNS):
        begun, used = time.monotonic(), processor_seconds()
        # What comes after the measured part is left to run until its end.
        rest = what(modules)
        if rest is not None:
            next(rest)
        wall = time.monotonic() - begun
        for _ in rest or ():
            pass
        print(f"{wall:.2f} s, {processor_seconds() - used:.2f} s of a processor", flush=True)


main()
