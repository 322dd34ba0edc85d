"""Each module of the image has its byte code: for this interpreter, made from the source that
lies beside it, compared with that source by hash whenever it is imported (PEP 552), and naming
the file where the image has it.

A file that is no Python 3 has none. Byte code without a source is an error too.
"""

import collections
import importlib.util
import marshal
import os
import subprocess
import sys
import sysconfig
import tempfile

CHECKED_HASH = 0b11
# What the interpreter imports, and what is copied into the volume.
DIRECTORIES = (sysconfig.get_path("stdlib"), "/default-comfyui-bundle")

wrong = collections.defaultdict(list)
refused = []
n_modules = n_bytes = 0


def fault(path, source):
    """What is wrong with the byte code of a source; None if nothing is."""
    try:
        with open(importlib.util.cache_from_source(path), "rb") as file:
            content = file.read()
    except FileNotFoundError:
        try:
            compile(source, path, "exec", dont_inherit=True)
        except (RecursionError, SyntaxError, ValueError):
            refused.append(path)
            return None
        return "no byte code"
    if content[:4] != importlib.util.MAGIC_NUMBER:
        return "for another interpreter"
    if int.from_bytes(content[4:8], "little") != CHECKED_HASH:
        return "not compared with its source by hash"
    if content[8:16] != importlib.util.source_hash(source):
        return "made from another source"
    if (named := marshal.loads(content[16:]).co_filename) != path:
        return f"names {named}"
    global n_modules, n_bytes
    n_modules += 1
    n_bytes += len(content)
    return None


def orphans(folder, names):
    """Byte code in a `__pycache__` for which there is no source."""
    above = os.path.dirname(folder)
    for name in names:
        if name.endswith(".pyc") and not os.path.exists(f"{above}/{name.split('.')[0]}.py"):
            yield f"{folder}/{name}"


def check_edited():
    """What makes the mode right: after an edit that keeps size and time, the edit counts."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/edited.py"
        run = [sys.executable, "-c", "import edited; print(edited.ANSWER)"]
        for answer in ("41", "42"):
            with open(path, "w") as file:
                file.write(f"ANSWER = {answer}\n")
            os.utime(path, (1, 1))
            if answer == "41":
                subprocess.run(
                    [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", path], check=True
                )
            found = subprocess.run(run, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()
            if found != answer:
                wrong["an edit is passed over"].append(f"{path}: {found} instead of {answer}")


if sys.pycache_prefix is not None:
    wrong["byte code is looked for elsewhere"].append(sys.pycache_prefix)
for directory in DIRECTORIES:
    for folder, folders, names in os.walk(directory):
        folders.sort()
        if os.path.basename(folder) == "__pycache__":
            wrong["byte code without a source"].extend(orphans(folder, sorted(names)))
            continue
        for name in sorted(names):
            path = os.path.join(folder, name)
            # A link to nothing is another check's.
            if not name.endswith(".py") or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                found = fault(path, file.read())
            if found is not None:
                wrong[found].append(path)
check_edited()

print(f"{n_modules} modules with {n_bytes / 1e6:.1f} MB of byte code")
print(f"{len(refused)} files that are no Python 3")
for path in refused:
    print(f"    {path}")
faults = {what: paths for what, paths in sorted(wrong.items()) if paths}
for what, paths in faults.items():
    print(f"{len(paths)} times: {what}")
    for path in paths[:20]:
        print(f"    {path}")
sys.exit(bool(faults))
