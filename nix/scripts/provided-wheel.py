"""Writes a wheel without files into $out: only metadata that says who brings the files.

The provider is required at the very version, so that `pip check` tells when it goes. Whoever
asks for the licence is told that of the files.
"""

import base64
import email
import glob
import hashlib
import os
import zipfile

project = os.environ["project"]
version = os.environ["version"]
by = os.environ["by"]
provider = os.environ["provider"]
if os.path.isdir(provider):
    [provider] = glob.glob(f"{provider}/*.whl")


def licence():
    """The provider's headers that state its licence, and the metadata version that has them."""
    with zipfile.ZipFile(provider) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(wheel.read(name))
    stated = [
        f"{key}: {value}\n"
        for key, value in metadata.items()
        if key in ("License", "License-Expression") or value.startswith("License ::")
    ]
    return metadata["Metadata-Version"], "".join(stated)


metadata_version, licences = licence()
stem = f"{project.replace('-', '_')}-{version}"
files = {
    "METADATA": f"""\
Metadata-Version: {metadata_version}
Name: {project}
Version: {version}
Summary: Metadata only; the files are those of {by}
Requires-Dist: {by}=={version}
{licences}""",
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
