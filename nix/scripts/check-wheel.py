"""Refuses a built wheel that is not for the interpreter that runs this.

CMake takes the Python it finds first, and a build may put that one's module into the wheel:
it would be installed, and fail only when somebody imports it.
"""

import importlib.machinery
import os
import re
import sys
import zipfile

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

# The part of an extension module's name that says which ABI it is for.
ABI = re.compile(r"\.(?:cpython-|abi3|pypy|graalpy)[^/]*\.so$")

wheel = sys.argv[1]
name = os.path.basename(wheel)
ours = list(sys_tags())
if parse_wheel_filename(name)[3].isdisjoint(ours):
    sys.exit(f"error: {name} is for another interpreter or platform; expected the tag {ours[0]}")

suffixes = importlib.machinery.EXTENSION_SUFFIXES
with zipfile.ZipFile(wheel) as archive:
    for member in archive.namelist():
        abi = ABI.search(member)
        if abi and abi[0] not in suffixes:
            sys.exit(
                f"error: {member} in {name} is for another interpreter;"
                f" expected a module that ends in {suffixes[0]}"
            )
