"""Writes $wheel again into $out with other metadata; every other byte of it stays.

`drop`: names of requirements that are taken out. `requires`: the requirements it has instead
of its own, those of extras excepted. `tags`: what its WHEEL file says it is for. `record`:
members that its RECORD has with a wrong hash or size. `origin`: the entry that asks for this,
for messages.
"""

import base64
import csv
import glob
import hashlib
import io
import json
import os
import re
import sys
import zipfile

wheel = os.environ["wheel"]
drop = json.loads(os.environ["drop"])
requires = json.loads(os.environ["requires"])
tags = json.loads(os.environ["tags"])
wrong = json.loads(os.environ["record"])
origin = os.environ["origin"]

if os.path.isdir(wheel):
    [wheel] = glob.glob(f"{wheel}/*.whl")
    file_name = os.path.basename(wheel)
else:
    # A store path begins with a hash.
    file_name = os.path.basename(wheel).split("-", 1)[1]


def name_of(requirement):
    """The normalized name that a requirement begins with."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement.strip())[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def is_of_extra(requirement):
    return re.search(r";.*\bextra\b", requirement) is not None


def split(lines):
    """The values of the header's Requires-Dist lines, and all other lines."""
    head = lines.index("") if "" in lines else len(lines)
    key = "Requires-Dist: "
    own = [line[len(key) :] for line in lines[:head] if line.startswith(key)]
    others = [line for line in lines[:head] if not line.startswith(key)]
    return own, others, lines[head:]


def metadata(text):
    own, others, description = split(text.split("\n"))
    for name in drop:
        if name not in map(name_of, own):
            sys.exit(f"error: {file_name} does not require {name} (any more); remove it from {origin}")
    own = [requirement for requirement in own if name_of(requirement) not in drop]
    if requires is not None:
        extras = [requirement for requirement in own if is_of_extra(requirement)]
        unknown = {name_of(requirement) for requirement in own if requirement not in extras}
        unknown -= set(map(name_of, requires))
        if unknown:
            sys.exit(
                f"error: {file_name} requires {', '.join(sorted(unknown))}, which {origin} does not"
                " have; add it there and run 'cargo xtask update-locks'"
            )
        own = requires + extras
    return "\n".join(others + [f"Requires-Dist: {requirement}" for requirement in own] + description)


def wheel_file(text):
    lines = text.rstrip("\n").split("\n")
    kept = [line for line in lines if not line.startswith("Tag: ")]
    new = [f"Tag: {tag}" for tag in tags]
    if sorted(new) == sorted(set(lines) - set(kept)):
        sys.exit(f"error: {file_name} has the tags {', '.join(tags)} itself; remove {origin}")
    return "\n".join(kept + new) + "\n"


def record(text, contents):
    """RECORD with hash and size of these members; those of `wrong` must have had others."""
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows:
        if row[0] in contents:
            digest = hashlib.sha256(contents[row[0]]).digest()
            name = "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            right = [name, str(len(contents[row[0]]))]
            if row[0] in wrong and row[1:] == right:
                sys.exit(f"error: RECORD of {file_name} is right about {row[0]}; remove it from {origin}")
            row[1:] = right
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


with zipfile.ZipFile(wheel) as source:
    [directory] = {
        name.split("/")[0] for name in source.namelist() if re.match(r"[^/]+\.dist-info/", name)
    }

    def read(name):
        return source.read(f"{directory}/{name}").decode()

    changed = {}
    if drop or requires is not None:
        changed[f"{directory}/METADATA"] = metadata(read("METADATA")).encode()
    if tags:
        changed[f"{directory}/WHEEL"] = wheel_file(read("WHEEL")).encode()
    missing = sorted(set(wrong) - set(source.namelist()))
    if missing:
        sys.exit(f"error: {file_name} has no {', '.join(missing)}; remove it from {origin}")
    recorded = {name: source.read(name) for name in wrong} | changed
    changed[f"{directory}/RECORD"] = record(read("RECORD"), recorded).encode()

    os.mkdir(os.environ["out"])
    with zipfile.ZipFile(f"{os.environ['out']}/{file_name}", "w", zipfile.ZIP_STORED) as target:
        for member in source.infolist():
            content = changed.get(member.filename)
            target.writestr(member, source.read(member) if content is None else content)
