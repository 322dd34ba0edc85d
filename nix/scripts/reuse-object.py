"""Stands for nvcc while a distribution's own setup.py builds its wheel (`PYTORCH_NVCC`).

Copies the object that another derivation compiled ($units and $objects, side by side), and
fails when setup.py asks for other flags than that one was compiled with. The architectures
are the variant's choice and the number of threads changes nothing, so neither is compared; an
object that includes Python's headers would not have been compiled without them.
With `--all-used`, fails when there is an object that setup.py did not ask for.
"""

import os
import shutil
import sys

SOURCE = "/build/source"
USED = "/build/scratch/used-objects"
WHERE = "correct its modules in nix/kernels.nix"

units = os.environ["units"].split()
objects = dict(zip(units, os.environ["objects"].split(), strict=True))


def check_all_used():
    with open(USED) as file:
        used = set(file.read().split())
    unused = [unit for unit in units if unit not in used]
    if unused:
        sys.exit(f"error: setup.py does not compile {', '.join(unused)}; {WHERE}")


def flags_of(arguments):
    """The flags that matter, the source file and the object file."""
    flags, source, target = [], None, None
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-c", "-MD") or argument.startswith(("-gencode=", "--threads=")):
            continue
        if argument in ("-MF", "-gencode", "--threads"):
            next(rest)
        elif argument == "-o":
            target = next(rest)
        elif argument.endswith(".cu") and not argument.startswith("-"):
            source = argument
        else:
            # PyTorch quotes one flag twice; nvcc removes the quotes itself.
            flags.append(where_compiled(argument.strip("'")))
    return flags, source, target


def where_compiled(flag):
    """PyTorch's headers are elsewhere where objects are compiled."""
    in_torch = f"-I{os.environ['torchInclude']}"
    if flag == in_torch or flag.startswith(f"{in_torch}/"):
        return "-I/opt/torch/include" + flag.removeprefix(in_torch)
    return flag


def without_python(flags):
    return [flag for flag in flags if flag != f"-I{os.environ['pythonInclude']}"]


def reuse(arguments):
    flags, source, target = flags_of(arguments)
    unit = os.path.relpath(source, SOURCE)
    if unit not in objects:
        sys.exit(f"error: setup.py compiles {unit}, which no derivation does; {WHERE}")
    with open(f"{objects[unit]}/flags") as file:
        expected = without_python(file.read().splitlines())
    flags = without_python(flags)
    if flags != expected:
        missing = [flag for flag in flags if flag not in expected]
        other = [flag for flag in expected if flag not in flags]
        sys.exit(
            f"error: {unit} was compiled with other flags than setup.py asks for; {WHERE}\n"
            f"expected: {' '.join(flags)}\n   found: {' '.join(expected)}\n"
            f"    only expected: {' '.join(missing)}\n    only found: {' '.join(other)}"
        )
    shutil.copyfile(f"{objects[unit]}/object.o", target)
    with open(USED, "a") as file:
        file.write(f"{unit}\n")


if sys.argv[1:] == ["--all-used"]:
    check_all_used()
else:
    reuse(sys.argv[1:])
