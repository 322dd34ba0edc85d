"""Installs each of $wheels with PyPA installer and compares what comes with its tree of $trees.

Both are lists of store paths, in the same order. Every file must have the same bytes, the same
executable bit, and the same path. One difference is meant: second copies of large files within
a wheel are links in our trees, which must lead to the same bytes.
"""

import filecmp
import glob
import os
import shutil
import sys
import warnings

sys.path.insert(0, os.environ["installer"])

from installer import install  # noqa: E402
from installer.destinations import SchemeDictionaryDestination  # noqa: E402
from installer.sources import WheelFile  # noqa: E402

PREFIX = "/usr/local"
PYTHON = os.environ["pythonDirectory"]
LIBRARY = f"{PREFIX}/lib/{PYTHON}/site-packages"
SCHEME = {
    "purelib": LIBRARY,
    "platlib": LIBRARY,
    "scripts": f"{PREFIX}/bin",
    "data": PREFIX,
    "headers": f"{PREFIX}/include/{PYTHON}",
}
SCRATCH = "/build/scratch"


def file_of(wheel):
    """The wheel under its own name: that of a store path begins with a hash."""
    if os.path.isdir(wheel):
        [wheel] = glob.glob(f"{wheel}/*.whl")
    if os.path.dirname(wheel) != "/nix/store":
        return wheel
    link = f"{SCRATCH}/{os.path.basename(wheel).split('-', 1)[1]}"
    if not os.path.lexists(link):
        os.symlink(wheel, link)
    return link


def files(root):
    found = set()
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found.update(os.path.relpath(os.path.join(folder, name), root) for name in names + links)
    return found


def differences(expected, found):
    """What differs between two trees."""
    ours, theirs = files(found), files(expected)
    for path in sorted(ours ^ theirs):
        yield f"{path}: {'not expected' if path in ours else 'missing'}"
    for path in sorted(ours & theirs):
        one, other = os.path.join(expected, path), os.path.join(found, path)
        if not filecmp.cmp(one, other, shallow=False):
            yield f"{path}: other bytes"
        if os.access(one, os.X_OK) != os.access(other, os.X_OK):
            yield f"{path}: the executable bit"


warnings.simplefilter("ignore")
wheels = os.environ["wheels"].split()
trees = os.environ["trees"].split()
if len(wheels) != len(trees) or not wheels:
    sys.exit(f"error: {len(wheels)} wheels and {len(trees)} trees")
n_different = 0
n_files = 0
for wheel, tree in zip(wheels, trees, strict=True):
    reference = f"{SCRATCH}/reference"
    destination = SchemeDictionaryDestination(
        scheme_dict=SCHEME,
        interpreter=f"{PREFIX}/bin/python3",
        script_kind="posix",
        destdir=f"{reference}/root",
    )
    with WheelFile.open(file_of(wheel)) as source:
        install(source, destination, additional_metadata={"INSTALLER": b"pip\n"})
    n_files += len(files(reference))
    found = list(differences(reference, tree))
    for difference in found[:20]:
        print(f"{tree}: {difference}", file=sys.stderr)
    n_different += bool(found)
    shutil.rmtree(reference)
if n_different:
    sys.exit(f"error: {n_different} of {len(wheels)} trees are not what installer writes")
with open(os.environ["out"], "w") as report:
    report.write(f"{len(wheels)} wheels with {n_files} files are what installer writes\n")
