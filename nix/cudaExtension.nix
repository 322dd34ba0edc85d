/**
  A distribution with CUDA kernels, compiled in pieces: for each CUDA source file one derivation
  for each architecture and one for the host's code around them (an object), and one in which the
  distribution's own `setup.py` builds the wheel and gets those objects instead of compiling
  (docs/design/D11-cuda-sources-one-by-one.md). An interrupted build goes on with what it has.

  An object depends on compiler, headers, source and flags alone, and on Python only where its
  module says so: variants with different Pythons share the others. `setup.py` decides which
  files belong to the extension and how they are compiled: the build of the wheel fails
  when it asks for a file or a flag that is not named here, or not for one that is.

  Type: cudaExtension :: AttrSet -> AttrSet -> { objects, record, wheel }
*/
{
  buildSdist,
  # Trees with nvcc, its host compiler, and the headers of CUDA and PyTorch.
  compiler,
  cudaLabel,
  # Environment in which `setup.py` runs, but for the distribution's own.
  environment,
  inRoot,
  # The variant's CPython: its headers, for modules that ask for them.
  interpreter,
  pythonDirectory,
  sitePackages,
  # Trees in which `setup.py` runs: toolchain, CUDA, PyTorch.
  toolchain,
  # Tree with PyTorch's headers in `/opt/torch/include`.
  torchHeaders,
}:
{
  pname,
  version,
  # Fixed output: an sdist, or a git tree.
  source,
  # [ { name, units, architectures, flags, includes ? [ ], usesPython ? false } ], each one
  # `CUDAExtension` of `setup.py`: `name` is its module's last part; `units` and `includes`
  # are paths in the source; `flags` is what `setup.py` adds to PyTorch's own.
  modules,
  # Environment of `setup.py`.
  env ? { },
  # Further trees in which it runs.
  lowers ? [ ],
  patch ? "",
}:
let
  # `torch.utils.cpp_extension` of PyTorch 2.14.
  torchFlags = [
    "-D__CUDA_NO_HALF_OPERATORS__"
    "-D__CUDA_NO_HALF_CONVERSIONS__"
    "-D__CUDA_NO_BFLOAT16_CONVERSIONS__"
    "-D__CUDA_NO_HALF2_OPERATORS__"
    "--expt-relaxed-constexpr"
    "--compiler-options"
    "-fPIC"
  ];
  torchIncludes = [
    "/opt/torch/include"
    "/opt/torch/include/torch/csrc/api/include"
    "/usr/local/cuda-13.0/include"
  ];
  # Where `setup.py` has them.
  torchInclude = "${sitePackages}/torch/include";
  pythonInclude = "/usr/local/include/${pythonDirectory}";

  numberOf = builtins.replaceStrings [ "." "+PTX" ] [ "" "" ];
  architectureFlags =
    architecture:
    let
      number = numberOf architecture;
      hasPtx = builtins.match ".*\\+PTX" architecture != null;
      to = code: [
        "-gencode"
        "arch=compute_${number},code=${code}_${number}"
      ];
    in
    to "sm" ++ (if hasPtx then to "compute" else [ ]);

  # What the passes of one source file have in common.
  unitOf =
    module: unit: script:
    let
      file = builtins.elemAt (builtins.match "(.*/)?([^/]*)\\.cu" unit) 1;
      usesPython = module.usesPython or false;
    in
    {
      # What is compiled, for which architectures: `[ ]` is the host.
      label,
      architectures,
      env ? { },
    }:
    inRoot {
      # The version last: the time that another version took is a good guess.
      name = "${file}-${pname}-${label}-${version}";
      lowers = compiler ++ (if usesPython then [ interpreter ] else [ ]);
      interpreter = "/build/applets/sh";
      inherit script;
      env = {
        inherit source unit;
        common = ./scripts/compile-common.sh;
        flags =
          map (path: "-I/build/source/${path}") (module.includes or [ ])
          ++ map (path: "-I${path}") (torchIncludes ++ (if usesPython then [ pythonInclude ] else [ ]))
          ++ torchFlags
          ++ module.flags
          ++ [
            "-DTORCH_API_INCLUDE_EXTENSION_H"
            "-DTORCH_EXTENSION_NAME=${module.name}"
          ];
        architectureFlags = builtins.concatMap architectureFlags architectures;
      }
      // env;
    };

  # `+PTX` keeps what is there anyway.
  withoutPtx = builtins.replaceStrings [ "+PTX" ] [ "" ];

  # The code of one architecture: the long part, and the same in every list that has it.
  deviceOf =
    module: unit: architecture:
    unitOf module unit ./scripts/compile-device.sh {
      label = cudaLabel [ architecture ];
      architectures = [ architecture ];
    };

  objectOf =
    module: unit:
    unitOf module unit ./scripts/link-unit.sh {
      label = "object";
      inherit (module) architectures;
      env.devices = map (
        architecture: "${numberOf architecture}=${deviceOf module unit (withoutPtx architecture)}"
      ) module.architectures;
    };

  objects = builtins.listToAttrs (
    builtins.concatMap (
      module:
      map (unit: {
        name = unit;
        value = objectOf module unit;
      }) module.units
    ) modules
  );
in
{
  inherit objects;

  /**
    What was compiled for which architectures, for the checks.
  */
  record = {
    inherit version;
    modules = builtins.listToAttrs (
      map (module: {
        inherit (module) name;
        value = module.architectures;
      }) modules
    );
  };

  wheel = buildSdist {
    inherit pname source version;
    lowers = toolchain ++ lowers;
    patch = ''
      diff -r "$torchHeaders" "$torchInclude" >&2 || {
          echo "error: the headers of this variant's PyTorch are not those that the objects were compiled with; remove kernels_of from package-lists/variants.toml" >&2
          exit 1
      }
    ''
    + patch;
    env =
      environment
      // {
        inherit pythonInclude torchInclude;
        torchHeaders = "${torchHeaders}/root/opt/torch/include";
        PYTORCH_NVCC = "python3 ${./scripts/reuse-object.py}";
        units = builtins.attrNames objects;
        objects = builtins.attrValues objects;
      }
      // env;
    check = "python3 ${./scripts/reuse-object.py} --all-used";
  };
}
