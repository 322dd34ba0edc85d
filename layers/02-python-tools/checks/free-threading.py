"""The interpreter is what its ABI flags say, and no module of it was left out."""

import importlib
import sys
import sysconfig
import threading

free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print(sys.version)
if free_threaded:
    assert "t" in sys.abiflags
    assert not sys._is_gil_enabled()

totals = []
threads = [threading.Thread(target=lambda: totals.append(sum(range(100_000)))) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert totals == [sum(range(100_000))] * 8

# A build leaves these out without a word when it lacks their libraries.
for name in ("bz2", "compression.zstd", "ctypes", "curses", "lzma", "readline", "sqlite3", "ssl", "zlib"):
    importlib.import_module(name)
assert not free_threaded or not sys._is_gil_enabled()
