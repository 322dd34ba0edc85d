"""Finds regular files of the image that are stored twice.

Reads the check's own file from standard input for `data.allow`: path pattern -> reason.
"""

import collections
import fnmatch
import hashlib
import os
import sys
import tomllib

ABOVE = 1_000_000
allow = tomllib.load(sys.stdin.buffer)["data"]["allow"]

by_size = collections.defaultdict(list)
seen = set()
for directory, directories, files in os.walk("/"):
    # Mounts of the engine are not the image.
    directories[:] = [name for name in directories if not os.path.ismount(os.path.join(directory, name))]
    for name in files:
        path = os.path.join(directory, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in allow):
            continue
        status = os.stat(path)
        # Hard links are one file.
        if status.st_size > ABOVE and (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            by_size[status.st_size].append(path)

by_digest = collections.defaultdict(list)
for size, paths in by_size.items():
    if len(paths) > 1:
        for path in paths:
            with open(path, "rb") as file:
                by_digest[size, hashlib.file_digest(file, "sha256").hexdigest()].append(path)

equal = {key: sorted(paths) for key, paths in by_digest.items() if len(paths) > 1}
for (size, _), paths in sorted(equal.items()):
    print(f"{size} bytes: {' '.join(paths)}")
sys.exit(bool(equal))
