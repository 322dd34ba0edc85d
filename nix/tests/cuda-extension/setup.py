"""A small extension of the form that `nix/cudaExtension.nix` takes apart."""

from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

setup(
    name="cuda-extension-test",
    version="1.0",
    ext_modules=[
        CUDAExtension(
            name="cuda_extension_test",
            sources=["module.cpp", "kernels/one.cu", "kernels/two.cu", "kernels/three.cu"],
            extra_compile_args={"cxx": ["-O1"], "nvcc": ["-O1", "-std=c++17"]},
        )
    ],
    cmdclass={"build_ext": BuildExtension},
)
