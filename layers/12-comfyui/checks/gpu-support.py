"""What each GPU gets of the distributions with CUDA code, against the table that people read.

`code`: machine code of the device's major version and not above its minor one (CUDA C++
Programming Guide, "Binary Compatibility"). `PTX`: the driver compiles it. `Triton`: Triton
compiles it, tried here for each device. `partly`: less than nine tenths of the kernels, counted
by fat binaries, have either. What is compiled at run time by NVRTC needs neither.

The table is this check's declaration; `docs/gpus.md` shows it.
"""

import importlib.metadata
import json
import os
import pathlib
import struct
import sys
import tempfile
import tomllib

FATBIN_MAGIC = 0xBA55ED50
PTX = 1
MOST = 0.9


def section(data, wanted):
    """A section of a 64-bit little-endian ELF file."""
    if data[:4] != b"\x7fELF":
        return b""
    (table,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", data, table + index * size) for index in range(count)]
    for header in headers:
        start = headers[names][4] + header[0]
        if data[start : data.index(b"\0", start)] == wanted:
            return data[header[4] : header[4] + header[5]]
    return b""


def fat_binaries(file):
    """The code in each of a library's fat binaries: `{(90, False), (120, True)}`, PTX is True."""
    fatbin = section(file.read_bytes(), b".nv_fatbin")
    at = 0
    while at + 16 <= len(fatbin):
        magic, _version, header, size = struct.unpack_from("<IHHQ", fatbin, at)
        if magic != FATBIN_MAGIC:
            # Containers are aligned.
            at += 8
            continue
        entry = at + header
        at = entry + size
        found = set()
        while entry < at:
            kind, _, entry_header, payload = struct.unpack_from("<HHIQ", fatbin, entry)
            (number,) = struct.unpack_from("<I", fatbin, entry + 28)
            found.add((number, kind == PTX))
            entry += entry_header + payload
        yield frozenset(found)


def has_code(binary, device):
    return any(not ptx and n // 10 == device // 10 and n <= device for n, ptx in binary)


def has_ptx(binary, device):
    return any(ptx and n <= device for n, ptx in binary)


def support(binaries, device):
    """A word, and the share of fat binaries that run."""
    code = sum(has_code(binary, device) for binary in binaries) / len(binaries)
    any_ = sum(has_code(one, device) or has_ptx(one, device) for one in binaries) / len(binaries)
    if code >= MOST:
        return "code", code
    if any_ >= MOST:
        return "PTX", any_
    return ("partly" if any_ > 0 else "none"), any_


def libraries(distribution):
    for file in importlib.metadata.files(distribution) or []:
        if ".so" in file.name:
            path = pathlib.Path(file.locate())
            if path.is_file() and not path.is_symlink():
                yield path


def compiles(device):
    """Whether Triton compiles a product of int8 and fp16 matrices; it may end the process."""
    child = os.fork()
    if child == 0:
        status = 1
        # Triton prints whole programs when a pass fails.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            compile_product(device)
            status = 0
        except Exception as error:
            print(f"Triton for {device}: {type(error).__name__}: {str(error)[:200]}", flush=True)
        os._exit(status)
    _, status = os.waitpid(child, 0)
    return status == 0


def compile_product(device):
    import triton
    from _gpu_support_kernel import product
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    source = ASTSource(
        fn=product,
        signature={"a": "*i8", "b": "*i8", "v": "*fp16", "out": "*fp16", "N": "constexpr"},
        constexprs={"N": 64},
    )
    # Without a target it would ask the driver.
    triton.compile(source, target=GPUTarget("cuda", device, 32), options={"num_warps": 4})


KERNEL = '''
import triton
import triton.language as tl


@triton.jit
def product(a, b, v, out, N: tl.constexpr):
    rows = tl.arange(0, N)[:, None]
    columns = tl.arange(0, N)[None, :]
    weights = tl.dot(tl.load(a + rows * N + columns), tl.load(b + rows * N + columns))
    weights = tl.math.exp2(weights.to(tl.float32) * 1e-4).to(tl.float16)
    tl.store(out + rows * N + columns, tl.dot(weights, tl.load(v + rows * N + columns)).to(tl.float16))
'''


def number(capability):
    major, minor = capability.split(".")
    return int(major) * 10 + int(minor)


def row(name, kind, devices):
    if kind == "nvrtc":
        return ["NVRTC"] * len(devices)
    if kind == "triton":
        return ["Triton" if TRITON[device] else "none" for device in devices]
    binaries = [binary for file in libraries(name) for binary in fat_binaries(file)]
    if not binaries:
        return ["no CUDA code"] * len(devices)
    words = [support(binaries, device) for device in devices]
    shares = ", ".join(f"{100 * share:.0f} %" for _, share in words)
    print(f"{name}: {len(binaries)} fat binaries; share that runs: {shares}")
    return [word for word, _ in words]


data = tomllib.load(sys.stdin.buffer)["data"]
capabilities = sorted(data["devices"], key=number)
devices = [number(capability) for capability in capabilities]
installed = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in importlib.metadata.distributions()}
TRITON = {}
if "triton" in installed:
    directory = tempfile.mkdtemp()
    pathlib.Path(directory, "_gpu_support_kernel.py").write_text(KERNEL)
    sys.path.insert(0, directory)
    os.environ["TRITON_CACHE_DIR"] = directory
    TRITON = {device: compiles(device) for device in devices}

faults = []
for name, entry in data["wheel"].items():
    version = installed.get(name)
    if version is None or not version.startswith(entry.get("version", "")):
        print(f"{name}: not here, or not of version {entry.get('version', '')}")
        continue
    found = row(name, entry.get("kind", "fatbin"), devices)
    print(f"{name} {version}: {', '.join(f'{c} {w}' for c, w in zip(capabilities, found))}")
    if found != entry["support"]:
        faults.append(f"{name}: found {json.dumps(found)}, the table has {json.dumps(entry['support'])}")

# What was compiled here: the check `compiled-kernels` compares each module with the variant.
record = pathlib.Path("/usr/local/share/comfyui-boot/cuda-architectures.json")
for name, modules in json.loads(record.read_text()).items() if record.exists() else ():
    built = {one.split("+")[0].rstrip("af") for setting in modules["modules"].values() for one in setting}
    binary = {(number(one), False) for one in built}
    words = ["code" if has_code(binary, device) else "-" for device in devices]
    print(f"{name}, compiled here: {', '.join(f'{c} {w}' for c, w in zip(capabilities, words))}")

assert not faults, "\n".join(faults)
