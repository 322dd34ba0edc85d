"""ComfyUI over HTTP: an image goes up, a workflow runs, and its PNG comes back.

ComfyUI is the image's own, or the checkout in COMFYUI_DIR (`verify --comfyui DIR`) where the
image clones it at the first start. In the image the entrypoint starts it; on a host, Python.
With `--gpu` the workflow must run on one.
"""

import importlib.metadata
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from PIL import Image, ImageChops, ImageStat

GPU = "--gpu" in sys.argv[1:]
ENTRYPOINT = pathlib.Path("/runner-scripts/entrypoint.sh")
BUNDLE = pathlib.Path("/default-comfyui-bundle/ComfyUI")
PORT = 8188
START_LIMIT = 1200  # seconds: nodes are imported from a cold disk
RUN_LIMIT = 300

given = os.environ.get("COMFYUI_DIR")
scratch = pathlib.Path(tempfile.mkdtemp())
log = scratch / "log"
process = None


def absent(why):
    print(why)
    sys.exit(77)


def fail(why):
    print(log.read_text(errors="replace")[-3000:] if log.exists() else "")
    print(why)
    stop()
    sys.exit(1)


def stop():
    if process is not None and process.poll() is None:
        # The entrypoint ends ComfyUI, which is in a process group of its own.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start():
    """The command, directory and port of ComfyUI here."""
    flags = [] if GPU else ["--cpu"]
    if ENTRYPOINT.exists():
        if not (BUNDLE / "main.py").exists():
            if given is None:
                absent("this image clones ComfyUI at the first start; give a checkout with `--comfyui DIR`")
            # COMFYUI_DIR is what the entrypoint takes it from.
            make_templates_directory()
        os.environ["CLI_ARGS"] = " ".join(flags)
        return ["bash", str(ENTRYPOINT)], "/root", PORT
    if given is None:
        absent("no ComfyUI on this machine; give a checkout with `--comfyui DIR`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("input", "output", "temp", "user"):
        (scratch / name).mkdir()
        flags += [f"--{name}-directory", str(scratch / name)]
    return [sys.executable, "main.py", "--listen", "127.0.0.1", "--port", str(port), *flags], given, port


def make_templates_directory():
    """Checkouts older than the locked templates insist on a directory that these left out."""
    try:
        import comfyui_workflow_templates
    except ImportError:
        return
    (pathlib.Path(comfyui_workflow_templates.__file__).parent / "templates").mkdir(exist_ok=True)


def request(path, data=None, content_type="application/json"):
    headers = {"Content-Type": content_type} if data is not None else {}
    url = f"http://127.0.0.1:{port}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        fail(f"{path}: HTTP {error.code}: {error.read().decode(errors='replace')[:1000]}")


def wait_until_it_answers():
    begun = time.monotonic()
    while time.monotonic() - begun < START_LIMIT:
        if process.poll() is not None:
            fail(f"ComfyUI ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert answer.status == 200, answer.status
                return time.monotonic() - begun
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    fail(f"no answer after {START_LIMIT} s")


def upload(image):
    boundary = uuid.uuid4().hex
    content = io.BytesIO()
    image.save(content, "PNG")
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="check.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head.encode() + content.getvalue() + f"\r\n--{boundary}--\r\n".encode()
    return json.loads(request("/upload/image", body, f"multipart/form-data; boundary={boundary}"))["name"]


def run(workflow):
    """Queues a workflow and returns the image of its last node."""
    body = json.dumps({"prompt": workflow, "client_id": uuid.uuid4().hex}).encode()
    identifier = json.loads(request("/prompt", body))["prompt_id"]
    begun = time.monotonic()
    while time.monotonic() - begun < RUN_LIMIT:
        history = json.loads(request(f"/history/{identifier}")).get(identifier)
        if history is not None:
            if history["status"]["status_str"] != "success":
                fail(f"the workflow failed: {json.dumps(history['status'])[:2000]}")
            seconds = time.monotonic() - begun
            output = next(iter(history["outputs"].values()))["images"][0]
            query = urllib.parse.urlencode({name: output[name] for name in ("filename", "subfolder", "type")})
            return Image.open(io.BytesIO(request(f"/view?{query}"))).convert("RGB"), seconds
        time.sleep(0.1)
    fail(f"the workflow has not ended after {RUN_LIMIT} s")


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def check_manager():
    """The image's Manager runs wherever its ComfyUI knows of it."""
    comfyui = pathlib.Path(given) if given is not None else BUNDLE
    if not ENTRYPOINT.exists() or "--enable-manager" not in (comfyui / "comfy/cli_args.py").read_text():
        return
    installed = importlib.metadata.version("comfyui-manager")
    running = request("/v2/manager/version").decode()
    print(f"ComfyUI-Manager {running}")
    if running != f"V{installed}":
        fail(f"the Manager says {running}, and {installed} is installed")


def cpu_workflow(name):
    """Inverts an image and halves it by taking every second pixel."""
    return {
        "1": node("LoadImage", image=name),
        "2": node("ImageInvert", image=["1", 0]),
        "3": node("ImageScale", image=["2", 0], upscale_method="nearest-exact", width=64, height=48, crop="disabled"),
        "4": node("SaveImage", images=["3", 0], filename_prefix="check"),
    }


def gpu_workflow(name):
    """Blurs an image; ComfyUI does that on its device."""
    return {
        "1": node("LoadImage", image=name),
        "2": node("ImageBlur", image=["1", 0], blur_radius=2, sigma=1.0),
        "3": node("SaveImage", images=["2", 0], filename_prefix="check"),
    }


def taesd_workflow(name):
    """Through the smallest autoencoder and back, where the image has its weights."""
    return {
        "1": node("LoadImage", image=name),
        "2": node("VAELoader", vae_name="taesd"),
        "3": node("VAEEncode", pixels=["1", 0], vae=["2", 0]),
        "4": node("VAEDecode", samples=["3", 0], vae=["2", 0]),
        "5": node("SaveImage", images=["4", 0], filename_prefix="check"),
    }


def compare(what, found, expected, tolerance, seconds):
    """Fails unless two images of many values differ by no more than a mean of `tolerance` of 255."""
    if found.size != expected.size:
        fail(f"{what}: {found.size} pixels, not {expected.size}")
    difference = max(ImageStat.Stat(ImageChops.difference(found, expected)).mean)
    spread = min(ImageStat.Stat(found).stddev)
    print(f"{what}: {seconds:.2f} s, mean difference {difference:.2f} of 255 (at most {tolerance}), spread {spread:.0f}")
    if difference > tolerance or spread < 10:
        fail(f"{what}: not the image it must be")


command, directory, port = start()
with open(log, "wb") as output:
    process = subprocess.Popen(
        command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
print(f"answers after {wait_until_it_answers():.1f} s")
check_manager()
system = json.loads(request("/system_stats"))
device = system["devices"][0]
print(f"ComfyUI {system['system'].get('comfyui_version')}, device {device['name']}, torch {system['system'].get('pytorch_version')}")
if (device["type"] == "cuda") != GPU:
    fail(f"it computes on {device['type']}")

# A gradient in each channel, and different in each.
source = Image.merge("RGB", [Image.linear_gradient("L").rotate(angle).resize((128, 96)) for angle in (0, 90, 180)])
name = upload(source)
if GPU:
    # Blurring a gradient changes little but its borders.
    image, seconds = run(gpu_workflow(name))
    compare("blur", image, source, 2, seconds)
    vaes = json.loads(request("/object_info/VAELoader"))["VAELoader"]["input"]["required"]["vae_name"][0]
    if "taesd" in vaes:
        image, seconds = run(taesd_workflow(name))
        compare("taesd", image, source, 16, seconds)
    device = json.loads(request("/system_stats"))["devices"][0]
    print(f"{(device['vram_total'] - device['vram_free']) / 1e6:.0f} MB of the GPU's memory in use")
else:
    image, seconds = run(cpu_workflow(name))
    expected = ImageChops.invert(source).resize((64, 48), Image.Resampling.NEAREST)
    compare("invert and scale", image, expected, 3, seconds)
stop()
