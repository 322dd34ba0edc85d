"""Installs $wheel into $out/root/usr/local with PyPA installer; prefix as in the image.

Reads `exclude` and `include` (JSON lists of fnmatch patterns on paths below
site-packages) for distributions whose files are shared out between two layers, and
`links` (JSON object: path below site-packages to `{target, copy}`) for large files that
another package of the image has too: each becomes a link to `target`, whose bytes are at
`copy` in the store. Second copies within the wheel of files of `sharedFromBytes` or more
become links too.
"""

import filecmp
import fnmatch
import glob
import hashlib
import json
import os
import sys

sys.path.insert(0, os.environ["installer"])

from installer import install  # noqa: E402
from installer.destinations import SchemeDictionaryDestination  # noqa: E402
from installer.records import RecordEntry  # noqa: E402
from installer.sources import WheelFile  # noqa: E402

PREFIX = "/usr/local"
INTERPRETER = f"{PREFIX}/bin/python3"

library = f"{PREFIX}/lib/{os.environ['pythonDirectory']}/site-packages"
exclude = json.loads(os.environ["exclude"])
include = json.loads(os.environ["include"])
root = os.environ["out"] + "/root"
shared_from_bytes = int(os.environ["sharedFromBytes"])


class Destination(SchemeDictionaryDestination):
    """Writes the chosen files; the RECORD lists every file of the distribution."""

    def write_to_fs(self, scheme, path, stream, is_executable):
        is_library = scheme in ("purelib", "platlib")
        excluded = any(fnmatch.fnmatch(path, pattern) for pattern in exclude)
        included = not include or any(fnmatch.fnmatch(path, pattern) for pattern in include)
        if is_library and (excluded or not included):
            return RecordEntry(path, None, None)
        return super().write_to_fs(scheme, path, stream, is_executable)


wheel = os.environ["wheel"]
if os.path.isdir(wheel):
    found = glob.glob(f"{wheel}/*.whl")
    if len(found) != 1:
        sys.exit(f"error: {wheel} holds {len(found)} wheels, expected one")
    wheel = found[0]

# A store path begins with a hash: the source takes the name of the wheel from inside.
link = "/build/scratch/" + os.path.basename(wheel).split("-", 1)[-1]
if os.path.dirname(wheel) == "/nix/store":
    os.symlink(wheel, link)
    wheel = link

destination = Destination(
    scheme_dict={
        "purelib": library,
        "platlib": library,
        "scripts": f"{PREFIX}/bin",
        "data": PREFIX,
        "headers": f"{PREFIX}/include/{os.environ['pythonDirectory']}",
    },
    interpreter=INTERPRETER,
    script_kind="posix",
    destdir=root,
)
with WheelFile.open(wheel) as source:
    install(source=source, destination=destination, additional_metadata={"INSTALLER": b"pip\n"})


def link_large_twins(directory):
    """Replaces second copies of large files within the wheel by relative links."""
    seen = {}
    for folder, folders, files in os.walk(directory):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.islink(path) or os.path.getsize(path) < shared_from_bytes:
                continue
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            first = seen.setdefault(digest, path)
            if first is not path:
                os.remove(path)
                os.symlink(os.path.relpath(first, folder), path)


for path, link in json.loads(os.environ["links"]).items():
    file = f"{root}{library}/{path}"
    if not os.path.isfile(file):
        sys.exit(f"error: {wheel} has no {path}, which its lock says; run `cargo xtask update-locks`")
    if not filecmp.cmp(file, link["copy"], shallow=False):
        sys.exit(
            f"error: {path} of {wheel} differs from {link['target']}, with which its lock says it"
            " is the same; run `cargo xtask update-locks`"
        )
    os.remove(file)
    os.symlink(link["target"], file)
link_large_twins(root)
