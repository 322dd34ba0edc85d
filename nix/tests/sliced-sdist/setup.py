"""A small scikit-build project of the form that `nix/buildSdist.nix` cuts into slices."""

from skbuild import setup

setup(
    name="sliced-test",
    version="1.0",
    packages=["sliced_test"],
    cmake_install_dir="sliced_test",
)
