"""Writes a wheel without files into $out: only metadata that says who brings the files.

The provider is required at the very version, so that `pip check` tells when it goes.
"""

import base64
import hashlib
import os
import zipfile

project = os.environ["project"]
version = os.environ["version"]
by = os.environ["by"]

stem = f"{project.replace('-', '_')}-{version}"
files = {
    "METADATA": f"""\
Metadata-Version: 2.1
Name: {project}
Version: {version}
Summary: Metadata only; the files are those of {by}
Requires-Dist: {by}=={version}
""",
    "WHEEL": """\
Wheel-Version: 1.0
Generator: comfyui-image-factory
Root-Is-Purelib: true
Tag: py3-none-any
""",
}
record = ""
for name, text in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
    record += f"{stem}.dist-info/{name},sha256={digest.decode()},{len(text.encode())}\n"
files["RECORD"] = record + f"{stem}.dist-info/RECORD,,\n"

os.mkdir(os.environ["out"])
with zipfile.ZipFile(f"{os.environ['out']}/{stem}-py3-none-any.whl", "w") as wheel:
    for name, text in files.items():
        wheel.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{name}"), text)
