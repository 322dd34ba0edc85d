"""Links the files below /usr/local of all $trees into one tree, $out.

Directories are real, so that namespace packages merge.
"""

import os

base = "root/usr/local"
out = os.path.join(os.environ["out"], base)
for tree in os.environ["trees"].split():
    source = os.path.join(tree, base)
    for folder, folders, files in os.walk(source):
        target = os.path.normpath(os.path.join(out, os.path.relpath(folder, source)))
        os.makedirs(target, exist_ok=True)
        for name in files + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            file = os.path.join(folder, name)
            link = os.path.join(target, name)
            if not os.path.lexists(link):
                os.symlink(os.readlink(file) if os.path.islink(file) else file, link)
