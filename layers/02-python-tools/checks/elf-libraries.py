"""Every ELF file of the image finds what it is linked with, as the loader would search for it.

The loader itself is not asked: it would answer for a program, while most files here are
modules of Python, which find what an earlier import has loaded. For those a library may also
be in the same distribution, or in one that it depends on.

Reads the check's own file from standard input: `data.driver` has the libraries of the driver,
`data.loads` what a distribution imports without requiring it, and `data.allow` what may be
missing (owner -> library -> reason), where an owner is a distribution or a directory.
"""

import collections
import importlib.metadata
import os
import re
import struct
import subprocess
import sys
import tomllib

# ELF's numbers of machines (e_machine), and ldconfig's words for them.
MACHINES = {"x86_64": (62, "x86-64"), "aarch64": (183, "AArch64")}
MACHINE, CACHE_WORD = MACHINES[os.uname().machine]
TRIPLET = f"{os.uname().machine}-linux-gnu"
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_RUNPATH = 1, 5, 14, 15, 29
SYSTEM = (f"/lib/{TRIPLET}", f"/usr/lib/{TRIPLET}", "/lib64", "/usr/lib64", "/lib", "/usr/lib")

Elf = collections.namedtuple("Elf", "path needed soname rpath runpath interpreter")


def read_elf(path):
    """The dynamic section of a 64-bit file of this machine; None for any other file."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", head, 18)[0] != MACHINE:
            return None
        kind = struct.unpack_from("<H", head, 16)[0]
        offset, entry_size, n_entries = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
        if kind not in (2, 3):  # An object file is not linked yet.
            return None
        file.seek(offset)
        table = file.read(entry_size * n_entries)
        segments = [struct.unpack_from("<IIQQQQ", table, i * entry_size) for i in range(n_entries)]

        def content(segment):
            file.seek(segment[2])
            return file.read(segment[5])

        interpreter = next((content(s).rstrip(b"\0").decode() for s in segments if s[0] == PT_INTERP), None)
        dynamic = next((content(s) for s in segments if s[0] == PT_DYNAMIC), b"")
        entries = [struct.unpack_from("<QQ", dynamic, at) for at in range(0, len(dynamic) - 15, 16)]
        strings_at = next((value for tag, value in entries if tag == DT_STRTAB), None)
        load = next((s for s in segments if s[0] == PT_LOAD and s[3] <= (strings_at or 0) < s[3] + s[5]), None)
        if strings_at is None or load is None:
            return Elf(path, [], None, [], [], interpreter)
        base = strings_at - load[3] + load[2]

        def text(at):
            file.seek(base + at)
            return file.read(4096).split(b"\0")[0].decode()

        def paths(wanted):
            found = [text(value) for tag, value in entries if tag == wanted]
            origin = os.path.dirname(path)
            return [
                re.sub(r"\$ORIGIN|\$\{ORIGIN\}", origin, part) for one in found for part in one.split(":") if part
            ]

        return Elf(
            path,
            [text(value) for tag, value in entries if tag == DT_NEEDED],
            next((text(value) for tag, value in entries if tag == DT_SONAME), None),
            paths(DT_RPATH),
            paths(DT_RUNPATH),
            interpreter,
        )


def elf_files():
    """Every regular file of the image, once, and not what the engine mounts into it."""
    for directory, directories, files in os.walk("/"):
        directories[:] = [
            name for name in directories if not os.path.ismount(os.path.join(directory, name))
        ]
        for name in files:
            path = os.path.join(directory, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            try:
                elf = read_elf(path)
            except (OSError, UnicodeDecodeError, struct.error) as error:
                print(f"{path}: cannot be read: {error}")
                continue
            if elf is not None:
                yield elf


def loader_cache():
    """Names in the loader's cache: what `ldconfig -p` prints."""
    lines = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[0] for line in lines if CACHE_WORD in line and os.path.exists(line.split(" => ")[-1])}


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


class Distributions:
    """Which distribution owns a file, and which libraries it may count on."""

    def __init__(self, loads):
        self.owner_of = {}
        self.requires = {}
        for one in importlib.metadata.distributions():
            name = normalized(one.metadata["Name"])
            requirements = [re.match(r"[A-Za-z0-9._-]+", text)[0] for text in one.requires or []]
            self.requires[name] = {normalized(text) for text in [*requirements, *loads.get(name, ())]}
            for file in one.files or []:
                self.owner_of[os.path.realpath(one.locate_file(file))] = name
        self.libraries = collections.defaultdict(set)

    def add_library(self, elf):
        owner = self.owner_of.get(elf.path)
        if owner is not None:
            self.libraries[owner] |= {os.path.basename(elf.path), elf.soname}

    def counts_on(self, name, library):
        """Whether a distribution, or one it needs, directly or not, has a library."""
        seen, queue = set(), [name]
        while queue:
            one = queue.pop()
            if one not in seen:
                seen.add(one)
                if library in self.libraries[one]:
                    return True
                queue.extend(self.requires.get(one, ()))
        return False


def main():
    data = tomllib.load(sys.stdin.buffer)["data"]
    driver, allow = set(data["driver"]), data.get("allow", {})
    files = list(elf_files())
    cache = loader_cache()
    distributions = Distributions(data.get("loads", {}))
    for elf in files:
        distributions.add_library(elf)
    environment = [part for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]

    def is_found(elf, library):
        if "/" in library:
            return os.path.exists(library)
        own = elf.runpath or elf.rpath
        return library in cache or any(
            os.path.exists(os.path.join(directory, library)) for directory in (*own, *environment, *SYSTEM)
        )

    n_links, by_import, used, faults = 0, collections.Counter(), set(), collections.defaultdict(list)
    for elf in files:
        owner = distributions.owner_of.get(elf.path)
        if elf.interpreter and not os.path.exists(elf.interpreter):
            faults[f"the interpreter {elf.interpreter}"].append(elf.path)
        for library in elf.needed:
            n_links += 1
            if library in driver or is_found(elf, library):
                continue
            if owner is not None and distributions.counts_on(owner, library):
                by_import[owner] += 1
                continue
            entry = next(
                (
                    name
                    for name, libraries in allow.items()
                    if library in libraries and (name == owner or elf.path.startswith(name + "/"))
                ),
                None,
            )
            if entry is not None:
                used.add((entry, library))
            else:
                faults[library].append(f"{elf.path} ({owner or 'no distribution'})")

    # A variant may have the wheel of a distribution that holds no program and no library.
    present = {distributions.owner_of.get(elf.path) for elf in files}
    present |= {name for name in allow if name.startswith("/") and os.path.isdir(name)}
    for name, libraries in allow.items():
        for library in libraries:
            if name in present and (name, library) not in used:
                faults[f"`data.allow` of {name}: {library} is found or not asked for; take the entry out"] = []
    print(f"{len(files)} ELF files, {n_links} links to libraries, {len(used)} allowed to be missing")
    for owner, count in sorted(by_import.items()):
        print(f"{owner}: {count} links that an earlier import fulfills")
    for what, paths in sorted(faults.items()):
        print(f"missing: {what}")
        for path in sorted(paths)[:3]:
            print(f"    for {path}")
        if len(paths) > 3:
            print(f"    and {len(paths) - 3} more")
    sys.exit(bool(faults))


main()
