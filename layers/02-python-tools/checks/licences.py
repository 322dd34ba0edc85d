"""Every package states its licence, and the texts it brings can be read.

Reads the check's own file from standard input for `data.allow`: package -> reason.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib

allow = tomllib.load(sys.stdin.buffer)["data"].get("allow", {})
faults, used, present = {}, set(), set()


def readable(path):
    """Text in UTF-8 or, in old files, Latin-1, and not empty."""
    with open(path, "rb") as file:
        content = file.read()
    return b"\0" not in content and bool(content.strip())


def texts_of(distribution):
    """The files of a distribution's metadata that hold a licence."""
    stated = distribution.metadata.get_all("License-File") or []
    is_licence = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE).search
    for file in distribution.files or []:
        in_metadata = ".dist-info/" in file.as_posix()
        if in_metadata and (any(file.as_posix().endswith(f"/{name}") for name in stated) or is_licence(file.name)):
            yield distribution.locate_file(file)


def fault(package, why):
    if package in allow:
        used.add(package)
    else:
        faults[package] = why


n_texts = n_distributions = n_debian = 0
for distribution in importlib.metadata.distributions():
    metadata = distribution.metadata
    name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
    present.add(name)
    n_distributions += 1
    texts = list(texts_of(distribution))
    n_texts += len(texts)
    for path in texts:
        if not readable(path):
            fault(name, f"{path} is empty or no text")
    stated = metadata.get("License-Expression") or (metadata.get("License") or "").strip()
    if stated == "UNKNOWN":  # what old setuptools wrote for none
        stated = ""
    classified = [one for one in metadata.get_all("Classifier") or [] if one.startswith("License ::")]
    if not (texts or stated or classified):
        fault(name, "no licence text, expression, field or classifier")

query = ["dpkg-query", "--show", "--showformat", "${Package}\n"]
for package in subprocess.run(query, capture_output=True, text=True, check=True).stdout.split():
    present.add(package)
    n_debian += 1
    path = f"/usr/share/doc/{package}/copyright"
    if not os.path.isfile(path) or not readable(path):
        fault(package, f"no readable {path}")

print(f"{n_distributions} distributions with {n_texts} texts, {n_debian} packages of Debian, {len(used)} excused")
for package in sorted(set(allow) & present - used):
    faults[package] = "its licence is stated: take the entry out of `data.allow`"
for package, why in sorted(faults.items()):
    print(f"{package}: {why}")
sys.exit(bool(faults))
