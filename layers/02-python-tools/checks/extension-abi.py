"""Wheels and extension modules carry their ABI in their names; all are for this interpreter.

A module for another ABI is not an error to Python but a file it does not see, so that an
import finds something else of that name, or a fallback, or nothing. One for the stable ABI is
seen by a free-threaded interpreter and does not fit it.
"""

import collections
import importlib.machinery
import importlib.metadata
import re
import sys
import sysconfig

TAGGED = re.compile(r"\.(cpython-\w+|abi3t?|pypy\w+)(-[\w-]+)?\.so$")

free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
own = f"cp{sys.version_info.major}{sys.version_info.minor}{'t' * free_threaded}"
abis = {own, "none", "abi3t" if free_threaded else "abi3"}
loaded = tuple(importlib.machinery.EXTENSION_SUFFIXES)
right, wrong = collections.Counter(), {}
for distribution in importlib.metadata.distributions():
    lines = (distribution.read_text("WHEEL") or "").splitlines()
    tags = [line.removeprefix("Tag:").strip() for line in lines if line.startswith("Tag:")]
    if tags and not any(abi in abis for tag in tags for abi in tag.split("-")[1].split(".")):
        wrong[f"the wheel {distribution.metadata['Name']} {distribution.version}"] = tags[0]
    for file in distribution.files or []:
        tag = TAGGED.search(file.name)
        if tag is None:
            continue
        if tag[0] in loaded:
            right[tag[1]] += 1
        else:
            wrong[f"{distribution.metadata['Name']} {distribution.version}: {file}"] = tag[1]

print(f"this interpreter is {own} and loads {', '.join(loaded)}")
print(", ".join(f"{count} of {tag}" for tag, count in sorted(right.items())) or "no tagged module")
for file, tag in sorted(wrong.items()):
    print(f"{file} is for {tag}")
sys.exit(bool(wrong))
