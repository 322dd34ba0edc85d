"""Stands in for ComfyUI's main.py: the arguments, signals and answers that comfy-start relies on."""

import argparse
import getpass
import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent

parser = argparse.ArgumentParser()
parser.add_argument("--listen", nargs="?", default="127.0.0.1", const="0.0.0.0")
parser.add_argument("--port", type=int, default=8188)
parser.add_argument("--base-directory", type=pathlib.Path, default=HERE)
parser.add_argument("--extra-model-paths-config", nargs="+", action="append", default=[])
parser.add_argument("--preview-method")
parser.add_argument("--cpu", action="store_true")
parser.add_argument("--enable-manager", action="store_true")
parser.add_argument("--exit", type=int)
parser.add_argument("--report", action="store_true")
parser.add_argument("--deaf", action="store_true")
parser.add_argument("--slow-end", action="store_true")
parser.add_argument("--stuck", action="store_true")
args = parser.parse_args()

# Nothing half-written is run: every source of ours ends so.
for path in [*HERE.glob("*.py"), *(HERE / "comfy").rglob("*.py")]:
    if not path.read_text().endswith("# whole\n"):
        sys.exit(f"half-written: {path}")

# What ComfyUI does with its directories at the start.
base = args.base_directory
models = sorted(str(path.relative_to(base / "models")) for path in (base / "models").rglob("*") if path.is_file())
for name in ("output", "temp", "user"):
    (base / name).mkdir(exist_ok=True)
    (base / name / "written").write_text("by ComfyUI")

if args.exit is not None:
    sys.exit(args.exit)
if args.deaf:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

if args.stuck:
    (base / "user" / "importing").write_text("by ComfyUI")
while args.stuck:
    # As a module that catches whatever comes while it imports another.
    try:
        time.sleep(60)
    except BaseException:
        pass


def report():
    return {
        "system": {"comfyui_version": "stand-in", "argv": sys.argv},
        "uid": os.getuid(),
        "gid": os.getgid(),
        "pid": os.getpid(),
        "parent": os.getppid(),
        "user": getpass.getuser(),
        "home": os.path.expanduser("~"),
        "directory": os.getcwd(),
        "models": models,
        "nodes": sorted(os.listdir(base / "custom_nodes")),
        "environment": dict(os.environ),
        "no_new_privs": "NoNewPrivs:\t1" in pathlib.Path("/proc/self/status").read_text(),
    }


if args.report:
    print("REPORT " + json.dumps(report()), flush=True)
    sys.exit(0)


def orphan():
    """A grandchild whose parent ends first: PID 1 must reap it."""
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.2)
        os._exit(0)
    os.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/restart":
            # As ComfyUI-Manager does it.
            threading.Timer(0.1, lambda: os.execv(sys.executable, [sys.executable, *sys.argv])).start()
        if self.path == "/orphan":
            orphan()
        state = report()
        if self.path == "/zombies":
            state["zombies"] = [
                path.parent.name
                for path in pathlib.Path("/proc").glob("[0-9]*/stat")
                if path.read_text().rsplit(")", 1)[1].split()[0] == "Z"
            ]
        body = json.dumps(state).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("0.0.0.0" if args.listen == "0.0.0.0" else args.listen, args.port), Handler)
print("To see the GUI go to:", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    (base / "user" / "stopped").write_text("cleanly")
    print("Stopped server", flush=True)


class Slow:
    """Taken apart by the interpreter when all else is done, as PyTorch is."""

    def __del__(self, sleep=time.sleep):
        sleep(30)


slow = Slow() if args.slow_end else None
# whole
