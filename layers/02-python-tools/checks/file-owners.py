"""No file of the image belongs to two packages, be they Debian's or Python's.

Debian's lists are in /var/lib/dpkg/info, Python's in the RECORD of each distribution. Two
distributions may bring the same bytes; what a package diverts belongs to it alone.

Reads the check's own file from standard input for `data.allow`: pattern of paths -> reason.
"""

import collections
import fnmatch
import glob
import importlib.metadata
import os
import sys
import tomllib

allow = tomllib.load(sys.stdin.buffer)["data"]["allow"]
owners = collections.defaultdict(dict)  # path -> package -> hash, if known
missing = []


def resolved(path):
    """The place of a file, its directory's links followed: `/lib` is `/usr/lib`."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def diversions():
    """Where dpkg puts the file of any other package: path -> (place, package that diverts)."""
    try:
        with open("/var/lib/dpkg/diversions") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    return {lines[at]: (lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)}


diverted = diversions()
for path in glob.glob("/var/lib/dpkg/info/*.list"):
    package = os.path.basename(path).removesuffix(".list").split(":")[0]
    with open(path) as file:
        for line in file.read().splitlines():
            place, by = diverted.get(line, (line, package))
            place = place if by != package else line
            # Directories are shared.
            if os.path.lexists(place) and (os.path.islink(place) or not os.path.isdir(place)):
                owners[resolved(place)][f"{package} (Debian)"] = None
n_debian = len(owners)

for distribution in importlib.metadata.distributions():
    name = f"{distribution.metadata['Name']} {distribution.version}"
    for file in distribution.files or []:
        if file.suffix == ".pyc":
            continue
        place = resolved(os.path.normpath(distribution.locate_file(file)))
        if not os.path.exists(place):
            missing.append(f"{place} of {name}")
        owners[place][name] = file.hash.value if file.hash else None

print(f"{n_debian} files of Debian, {len(owners) - n_debian} of Python")
shared = {path: packages for path, packages in owners.items() if len(packages) > 1}
same = [path for path, packages in shared.items() if None not in packages.values() and len(set(packages.values())) == 1]
print(f"{len(same)} files with the same bytes in two distributions")
different = sorted(set(shared) - set(same))
for pattern in allow:
    allowed = set(fnmatch.filter(different, pattern))
    print(f"{len(allowed)} allowed by {pattern}")
    # Images of lower layers, and other variants, may not have these files at all.
    if not allowed and glob.glob(pattern):
        different.append(f"`data.allow` of {pattern}: no file of two owners; take the entry out")
    different = [path for path in different if path not in allowed]
for path in different[:40]:
    print(path, *sorted(shared.get(path, ())), sep="\n    ")
for line in sorted(missing)[:40]:
    print(f"not there: {line}")
print(f"{len(different)} with two owners, {len(missing)} not there")
sys.exit(bool(different or missing))
