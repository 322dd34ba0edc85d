"""Starts ComfyUI on the CPU, asks it for its nodes, and reads its log."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

BUNDLE = Path("/default-comfyui-bundle")
LOG = Path("/tmp/comfyui.log")
IMPORT_TIME = re.compile(r" ([0-9.]+) seconds( \(IMPORT FAILED\))?: (\S+)$")
COLORS = re.compile(r"\x1b\[[0-9;]*m")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(server: subprocess.Popen, url: str) -> dict:
    """The answer, as soon as there is one; the check's own limit ends a server that hangs."""
    while True:
        try:
            with urllib.request.urlopen(url) as response:
                return json.load(response)
        except urllib.error.URLError:
            if server.poll() is not None:
                message = f"ComfyUI ended with status {server.returncode}\n" + last_lines()
                raise SystemExit(message) from None
            time.sleep(1)


def last_lines() -> str:
    return "\n".join(log_lines()[-15:])


def log_lines() -> list[str]:
    return COLORS.sub("", LOG.read_text(errors="replace")).splitlines()


def import_results(lines: list[str]) -> dict[str, tuple[float, bool]]:
    """Seconds and success by directory of `custom_nodes`."""
    start = next(i for i, line in enumerate(lines) if line.endswith("Import times for custom nodes:"))
    results = {}
    for line in lines[start + 1 :]:
        found = IMPORT_TIME.search(line)
        if found is None:
            break
        results[Path(found[3]).name] = (float(found[1]), found[2] is None)
    return results


def faults_of_nodes(nodes: list[dict], results: dict[str, tuple[float, bool]], lines: list[str]) -> list[str]:
    has_gpu = Path("/dev/nvidiactl").exists()
    faults = []
    for node in nodes:
        name = node["install_dir"]
        if name.endswith(".disabled"):
            continue
        reason = node.get("import_fails")
        if name not in results:
            faults.append(f"{name}: ComfyUI did not look at it")
            continue
        imported = results[name][1]
        if not imported and reason is None:
            why = [line for line in lines if "Cannot import" in line and f"/{name} " in line]
            faults.append("\n    ".join([f"{name}: its import failed", *why]))
        if imported and reason is not None and not has_gpu:
            faults.append(f"{name}: it imports, so `import_fails` in sources.toml is no longer true: {reason}")
    return faults


def main() -> None:
    if not (BUNDLE / "ComfyUI/main.py").exists():
        revision = (BUNDLE / "comfyui-revision").read_text().strip()
        print(f"no bundle in this image; ComfyUI {revision} is cloned at the first start")
        sys.exit(77)
    nodes = json.loads((BUNDLE / "nodes.json").read_text())
    port = free_port()
    arguments = ["--cpu", "--port", str(port), "--preview-method", "taesd"]
    command = ["bash", "/runner-scripts/entrypoint.sh", *arguments]
    start = time.monotonic()
    with LOG.open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        info = ask(server, f"http://127.0.0.1:{port}/object_info")
        seconds = time.monotonic() - start
    finally:
        server.terminate()
        server.wait()

    lines = log_lines()
    results = import_results(lines)
    n_nodes = Counter(node["python_module"] for node in info.values())
    for name, (took, imported) in sorted(results.items()):
        count = n_nodes[f"custom_nodes.{name}"] if imported else "failed"
        print(f"{name:40} {took:6.1f} s  {count}")
    n_custom = sum(count for module, count in n_nodes.items() if module.startswith("custom_nodes."))
    print(f"answered after {seconds:.0f} s: {len(info)} nodes, {n_custom} of them custom")

    faults = faults_of_nodes(nodes, results, lines)
    vaes = info["VAELoader"]["input"]["required"]["vae_name"][0]
    previews = {file.name.split("_")[0] for file in (BUNDLE / "ComfyUI/models/vae_approx").glob("*_decoder.pth")}
    faults += [f"ComfyUI does not find the preview weights `{name}`" for name in sorted(previews - set(vaes))]
    if not previews:
        faults.append("the bundle holds no preview weights")
    # Manager then repairs what is not broken.
    faults += [line for line in lines if "PyTorch is not installed" in line]
    if not any("[START] ComfyUI-Manager" in line for line in lines):
        faults.append("ComfyUI-Manager was not started")
    if faults:
        raise SystemExit("\n".join(faults))


os.chdir("/")
main()
