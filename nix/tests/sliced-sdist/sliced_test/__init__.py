"""The library is loaded with ctypes; the package has no module of its own."""
