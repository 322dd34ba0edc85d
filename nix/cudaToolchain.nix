/**
  Trees in which CUDA extensions of PyTorch are compiled (`compiler`, with PyTorch's headers in
  `/opt/torch/include`) and linked (`toolchain`), and the environment of the latter.

  Type: AttrSet -> { compiler :: [ Path ], environment :: AttrSet, toolchain :: [ Path ], torchHeaders :: Path }
*/
{
  # The variant's locked distributions by name.
  byName,
  # The variant's architectures.
  cudaArchitectures,
  # Tree of a CUDA wheel's files.
  cudaTreeOf,
  debian,
  # The PyTorch whose headers CUDA sources are compiled with.
  headersOf,
  runCommand,
  sitePackages,
  sources,
  # Trees in which plain sdists are built, the bottom one first.
  toolchain,
  # The variant's package trees by name.
  trees,
}:
let
  cudaTrees = map (name: cudaTreeOf byName."nvidia-${name}");
  nvcc = cudaTrees [
    "cuda-cccl"
    "cuda-crt"
    "cuda-nvcc"
    "cuda-runtime"
    "nvvm"
  ];
  # What PyTorch's headers include.
  headers = cudaTrees [
    "cublas"
    "cusolver"
    "cusparse"
  ];
  # What `import torch` loads beside them.
  libraries = cudaTrees [
    "cuda-cupti"
    "cuda-nvrtc"
    "cudnn-cu13"
    "cufft"
    "cufile"
    "curand"
    "nvjitlink"
  ];
  # As in layers 01 and 04, of what is here.
  links = runCommand "cuda-build-links" { inherit sitePackages; } ''
    toolkit=$out/root/usr/local/cuda-13.0
    mkdir -p "$toolkit/lib" "$out/root$sitePackages/nvidia"
    ln -s lib "$toolkit/lib64"
    ln -s libcudart.so.13 "$toolkit/lib/libcudart.so"
    ln -s /usr/local/cuda-13.0 "$out/root$sitePackages/nvidia/cu13"
    ln -s /usr/local/cuda-13.0 "$out/root$sitePackages/nvidia/cudnn"
  '';
  # An object that depended on the whole tree would also depend on how wheels are unpacked. The
  # place is no Python's, so that variants with different Pythons can have the same objects.
  torchHeaders =
    if headersOf.version == byName.torch.version then
      runCommand "torch-${headersOf.version}-headers"
        {
          wheel = sources.pypiFile headersOf;
        }
        ''
          mkdir -p "$out/root/opt"
          unzip -q "$wheel" 'torch/include/*' -d "$out/root/opt"
        ''
    else
      throw "kernels_of in package-lists/variants.toml: that variant has torch ${headersOf.version}, this one ${byName.torch.version}; remove the key";
in
{
  inherit torchHeaders;

  # What `torch.utils.cpp_extension` reads.
  environment = {
    CUDA_HOME = "/usr/local/cuda-13.0";
    TORCH_CUDA_ARCH_LIST = builtins.concatStringsSep ";" cudaArchitectures;
  };

  compiler = [ debian.build-kernels ] ++ nvcc ++ headers ++ [ torchHeaders ];

  toolchain =
    toolchain
    ++ nvcc
    ++ headers
    ++ libraries
    ++ [ links ]
    ++ map (name: trees.${name}) [
      "filelock"
      "fsspec"
      "jinja2"
      "markupsafe"
      "mpmath"
      "networkx"
      "nvidia-cusparselt-cu13"
      "nvidia-nccl-cu13"
      "nvidia-nvshmem-cu13"
      "psutil"
      "sympy"
      "torch"
      "typing-extensions"
    ];
}
