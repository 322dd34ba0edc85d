"""Imports installed distributions, each in a process of its own, and prints one JSON document.

Runs inside the image, with nothing but Python's standard library:

    python3 check-imports.py [--jobs N] [--limit NAME=SECONDS] NAME...

A process of its own for each distribution, because what one import loads or breaks must not
help or hurt the next, and because a crash of the interpreter is a result too. They run side by
side, one for each processor and for each 2 GB of free memory.
"""

import argparse
import concurrent.futures
import importlib.machinery
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time

# Runs in the child. What is printed by the modules themselves goes to stderr.
CHILD = r"""
import importlib, json, os, re, resource, sys, warnings
report = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
gil = getattr(sys, "_is_gil_enabled", None)
result = {"error": None, "gil_enabled": None, "gil_enabled_by": None}
before = gil() if gil else None
shown = warnings.showwarning

def show(message, *rest, **more):
    # The interpreter names the extension that turned the GIL on.
    found = re.search(r"GIL\) has been enabled to load module '([^']+)'", str(message))
    if found and result["gil_enabled_by"] is None:
        result["gil_enabled_by"] = found[1]
    shown(message, *rest, **more)

warnings.showwarning = show
try:
    for name in sys.argv[1:]:
        result["module"] = name
        importlib.import_module(name)
        if gil and gil() and not before and result["gil_enabled_by"] is None:
            result["gil_enabled_by"] = name
    del result["module"]
except BaseException as error:
    result["error"] = f"{type(error).__name__}: {error}"
result["gil_enabled"] = gil() if gil else None
# Linux counts kibibytes. The peak of the starting process, some 20 MB, is the least it can be.
usage = resource.getrusage(resource.RUSAGE_SELF)
result["peak_memory_bytes"] = usage.ru_maxrss * 1024
result["cpu_seconds"] = round(usage.ru_utime + usage.ru_stime, 3)
report.write(json.dumps(result))
report.flush()
# Threads and destructors of half-loaded libraries are not what is checked here.
os._exit(0)
"""

# Names that packages install by mistake, next to what they are about.
STRAY = {"benchmarks", "doc", "docs", "examples", "setup", "test", "tests"}

SUFFIXES = (*importlib.machinery.EXTENSION_SUFFIXES, ".py")

KEPT_OUTPUT = 4000

# Seconds for one distribution. An import takes a few; on a machine busy with other things it
# may take a hundred times as long, while one that hangs never ends.
TIMEOUT = 600

# What an import may take: PyTorch with all its libraries has 1 to 1.5 GB resident.
MEMORY_OF_ONE = 2_000_000_000


def module_of(path):
    """The dotted parts of the module that a file defines, or None."""
    parts = path.split("/")
    # `.so` alone is a suffix of modules too, and of every plain library.
    if parts[-1].startswith("lib") and parts[-1].count(".") == 1:
        return None
    for suffix in SUFFIXES:
        if parts[-1].endswith(suffix):
            parts[-1] = parts[-1][: -len(suffix)]
            break
    else:
        return None
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return None
    return tuple(parts)


def is_plain_library(file):
    """Whether a `.so` without an ABI tag is for ctypes: a module has a function that makes it."""
    # By its name, `module_of` knows most of them.
    if file.suffixes != [".so"] or file.name.startswith("lib") or not file.locate().exists():
        return False
    return b"PyInit_" + file.stem.encode() not in file.locate().read_bytes()


def modules_of(distribution):
    """The outermost modules of a distribution: `numpy`, or `google.protobuf`."""
    files = distribution.files
    if files is None:
        names = (distribution.read_text("top_level.txt") or "").split()
        return sorted(name for name in names if name not in STRAY)
    paths = [file.as_posix() for file in files if not is_plain_library(file)]
    packages = {path.rpartition("/")[0] for path in paths if path.endswith("/__init__.py")}
    found = set()
    for path in paths:
        module = module_of(path)
        if module is None:
            continue
        # The outermost directory that is a package; above it there are only namespaces.
        for depth in range(1, len(module)):
            if "/".join(module[:depth]) in packages:
                module = module[:depth]
                break
        found.add(module)
    # Files of a namespace package, such as data beside `google/protobuf`, stand for themselves.
    public = {
        module
        for module in found
        if module[0] not in STRAY and not any(part.startswith("_") for part in module)
    }
    return sorted(".".join(module) for module in public or found)


def tail(text):
    return text[-KEPT_OUTPUT:].strip()


def check(name, timeout):
    result = {
        "name": name,
        "version": None,
        "modules": [],
        "status": "missing",
        "seconds": 0.0,
        "cpu_seconds": None,
        "gil_enabled": None,
        "gil_enabled_by": None,
        "peak_memory_bytes": None,
        "error": None,
        "output": "",
    }
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        result["error"] = "no such distribution is installed"
        return result
    result["version"] = distribution.version
    result["modules"] = modules_of(distribution)
    if not result["modules"]:
        # Libraries for others, and names that another distribution fills.
        result["status"] = "nothing"
        return result
    start = time.monotonic()
    try:
        child = subprocess.run(
            [sys.executable, "-c", CHILD, *result["modules"]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as expired:
        result["status"] = "failed"
        result["error"] = f"not imported after {timeout:.0f} s"
        result["output"] = tail((expired.stderr or b"").decode(errors="replace"))
        return result
    finally:
        result["seconds"] = round(time.monotonic() - start, 3)
    result["output"] = tail(child.stderr.decode(errors="replace"))
    try:
        report = json.loads(child.stdout)
    except ValueError:
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"status {child.returncode}"
        report = {"error": f"the interpreter ended with {how}"}
    result["status"] = "failed" if report.get("error") else "ok"
    result["gil_enabled"] = report.get("gil_enabled")
    result["gil_enabled_by"] = report.get("gil_enabled_by")
    result["peak_memory_bytes"] = report.get("peak_memory_bytes")
    result["cpu_seconds"] = report.get("cpu_seconds")
    if report.get("error"):
        module = report.get("module")
        result["error"] = f"import {module}: {report['error']}" if module else report["error"]
    else:
        result["output"] = ""
    return result


def normalized(name):
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def jobs_that_fit():
    """How many imports this machine can hold at once."""
    processors = len(os.sched_getaffinity(0))
    with open("/proc/meminfo") as lines:
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return max(1, min(processors, available // MEMORY_OF_ONE))


def limit(text):
    """`NAME=SECONDS` of the command line."""
    name, _, seconds = text.partition("=")
    return normalized(name), float(seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=jobs_that_fit())
    parser.add_argument("--limit", type=limit, action="append", default=[])
    parser.add_argument("names", nargs="+")
    arguments = parser.parse_args()
    limits = dict(arguments.limit)
    names = {normalized(name) for name in arguments.names}
    # The slow ones first, so that none of them is left running alone at the end.
    order = sorted(names, key=lambda name: (name not in limits, name))
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        check_one = lambda name: check(name, limits.get(name, TIMEOUT))  # noqa: E731
        results = sorted(pool.map(check_one, order), key=lambda result: result["name"])
    gil = getattr(sys, "_is_gil_enabled", None)
    document = {
        "python": sys.version.split()[0],
        "free_threaded": bool(gil and not gil()),
        "n_jobs": arguments.jobs,
        "results": results,
    }
    json.dump(document, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
