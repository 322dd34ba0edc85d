"""The compiled distributions have the locked version and code for the variant's architectures.

What `cuobjdump --list-elf --list-ptx` prints, read from the file itself: NVIDIA's wheels of
the toolkit have no cuobjdump. A module that calls the driver must name its library, or it
is imported on no machine.
"""

import importlib.metadata
import json
import pathlib
import re
import struct
import subprocess
import sys

RECORD = pathlib.Path("/usr/local/share/comfyui-boot/cuda-architectures.json")
FATBIN_MAGIC = 0xBA55ED50
PTX = 1


def section(data, wanted):
    """A section of a 64-bit little-endian ELF file."""
    (table,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", data, table + index * size) for index in range(count)]
    for header in headers:
        start = headers[names][4] + header[0]
        if data[start : data.index(b"\0", start)] == wanted:
            return data[header[4] : header[4] + header[5]]
    return b""


def architectures(file):
    """`8.0` for machine code, `8.0 PTX` for PTX, of all kernels in an extension module."""
    fatbin = section(file.read_bytes(), b".nv_fatbin")
    found = set()
    at = 0
    while at < len(fatbin):
        magic, _version, header, size = struct.unpack_from("<IHHQ", fatbin, at)
        if magic != FATBIN_MAGIC:
            # Containers are aligned.
            at += 8
            continue
        entry = at + header
        at = entry + size
        while entry < at:
            kind, _, entry_header, payload = struct.unpack_from("<HHIQ", fatbin, entry)
            (number,) = struct.unpack_from("<I", fatbin, entry + 28)
            found.add(f"{number // 10}.{number % 10}{' PTX' if kind == PTX else ''}")
            entry += entry_header + payload
    return found


def calls_unnamed_driver(file):
    """A function of the driver that a module calls though it does not name libcuda.so.1."""

    def output(*command):
        return subprocess.run([*command, file], capture_output=True, text=True, check=True).stdout

    called = re.search(r"\bcu[A-Z]\w+", output("nm", "--dynamic", "--undefined-only"))
    if called and "[libcuda.so.1]" not in output("readelf", "--dynamic"):
        return called[0]
    return None


def expected(setting):
    """`12.0+PTX` is both; the suffix of `9.0a` is not part of the number."""
    code = {one.removesuffix("+PTX").rstrip("af") for one in setting}
    ptx = {f"{one.removesuffix('+PTX')} PTX" for one in setting if one.endswith("+PTX")}
    return code | ptx


if not RECORD.exists():
    print("this variant has no kernels that were compiled here")
    sys.exit(77)

faults = []
for distribution, record in json.loads(RECORD.read_text()).items():
    version = importlib.metadata.version(distribution)
    print(f"{distribution} {version}")
    # A git tree's record has its revision.
    if "." in record["version"] and version != record["version"]:
        faults.append(f"{distribution} is {version}, the lock has {record['version']}")
    files = [
        pathlib.Path(file.locate())
        for file in importlib.metadata.files(distribution)
        if file.suffix == ".so"
    ]
    for module, setting in record["modules"].items():
        own = [file for file in files if file.name.split(".")[0] == module]
        if len(own) != 1:
            faults.append(f"{distribution} has {len(own)} modules {module}")
            continue
        found = architectures(own[0])
        print(f"{own[0].name}: {', '.join(sorted(found))}")
        function = calls_unnamed_driver(own[0])
        if function:
            faults.append(f"{own[0]} calls {function} and does not name libcuda.so.1")
        if found != expected(setting):
            faults.append(
                f"{own[0]} holds {sorted(found)}, the variant asks for {sorted(expected(setting))}"
            )
assert not faults, "\n".join(faults)
