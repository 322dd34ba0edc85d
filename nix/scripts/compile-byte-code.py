"""Compiles the modules below $directory of $tree into $out/root, as the image has them.

What is written is what PEP 552 calls a checked hash-based pyc: it names its source by hash, so
it is the same bytes whenever it is made, and an edited source is compiled anew. Files are
compiled one after the other and in order: which constants marshal shares depends on what the
process compiled before, and on whether the garbage collector has just run, which free-threaded
Python decides by the process's memory. $out/not-compiled lists the files that are no Python 3, and why.
"""

import gc
import importlib.machinery
import importlib.util
import marshal
import os

# Flags of PEP 552: by hash, and the source is compared.
CHECKED_HASH = (0b11).to_bytes(4, "little")

tree = os.environ["tree"] + "/root"
out = os.environ["out"]
loader = importlib.machinery.SourceFileLoader("__main__", "")


def sources(directory):
    """Paths in the image of the Python files below a directory of the tree, in order."""
    for folder, folders, names in os.walk(tree + directory):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name).removeprefix(tree)


def compiled(path):
    """The content of the pyc for the source at a path of the image."""
    with open(tree + path, "rb") as file:
        source = file.read()
    code = loader.source_to_code(source, path)
    header = importlib.util.MAGIC_NUMBER + CHECKED_HASH + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


gc.disable()
os.makedirs(f"{out}/root")
refused = []
for path in sources(os.environ["directory"]):
    cache = importlib.util.cache_from_source(path)
    # Some wheels bring their own.
    if os.path.lexists(tree + cache):
        continue
    try:
        content = compiled(path)
    except (RecursionError, SyntaxError, ValueError) as error:
        refused.append(f"{path}: {type(error).__name__}: {error}\n")
        continue
    os.makedirs(os.path.dirname(f"{out}/root{cache}"), exist_ok=True)
    with open(f"{out}/root{cache}", "wb") as file:
        file.write(content)
with open(f"{out}/not-compiled", "w") as file:
    file.writelines(refused)
