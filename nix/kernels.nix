/**
  The distributions whose CUDA kernels are compiled for the variant's architectures, as
  `cudaExtension` wants them. Units and flags are those of their `setup.py`.

  Type: AttrSet -> { NAME :: { objects, record, wheel } }
*/
{
  # The variant's architectures.
  cudaArchitectures,
  cudaExtension,
  # Tree of a CUDA wheel's files.
  cudaTreeOf,
  # The variant's locked distributions by name.
  byName,
  runCommand,
  sources,
}:
let
  product =
    axes: f:
    if axes == [ ] then
      [ (f [ ]) ]
    else
      builtins.concatMap (value: product (builtins.tail axes) (rest: f ([ value ] ++ rest))) (
        builtins.head axes
      );

  # PTX of 9.0 is for 10.x, which SageAttention's Python refuses.
  forSageAttention = map (one: if one == "9.0+PTX" then "9.0" else one) cudaArchitectures;
  # Code for 8.0 runs on 8.9, but has none of its 8-bit floating point.
  withFp8 =
    forSageAttention
    ++ (
      if builtins.elem "8.0" cudaArchitectures && !(builtins.elem "8.9" cudaArchitectures) then
        [ "8.9" ]
      else
        [ ]
    );
  hasFp8 = architecture: builtins.match "(7|8\\.[0-8]).*" architecture == null;
  bare = builtins.replaceStrings [ "+PTX" ] [ "" ];

  # nunchaku multiplies 4-bit integers, and on 12.x numbers of NVFP4, whose instructions belong
  # to the architecture's own feature set. It converts integers in a way of its own on 8.0 alone,
  # so 8.6, whose code 8.9 runs too, gets the other. Hopper multiplies no 4-bit integers in
  # hardware, and upstream compiles for no 9.x and 10.x: a variant has code for those only
  # when it would have none otherwise.
  forNunchaku =
    let
      codeFor =
        architecture:
        {
          "8.0" = [
            "8.0"
            "8.6"
          ];
          "12.0" = [ "12.0a" ];
          "12.1" = [ "12.1a" ];
        }
        .${architecture} or [ architecture ];
      bareArchitectures = map bare cudaArchitectures;
      supported = builtins.filter (
        architecture: builtins.match "(7\\.5|8\\..*|12\\..*)" architecture != null
      ) bareArchitectures;
    in
    if supported == [ ] then
      bareArchitectures
    else
      builtins.foldl' (all: one: if builtins.elem one all then all else all ++ [ one ]) [ ] (
        builtins.concatMap codeFor supported
      );

  # PyTorch's headers are C++20 since 2.14; flash-attn and SageAttention ask for C++17.
  asCpp20 = ''
    sed -i 's/-std=c++17/-std=c++20/g' setup.py
  '';

  recipes = {
    flash-attn =
      package:
      cudaExtension {
        pname = package.name;
        inherit (package) version;
        source = sources.pypiFile package;
        env = {
          # Else it looks for a published wheel, and takes one for the GIL.
          FLASH_ATTENTION_FORCE_BUILD = "TRUE";
        };
        patch = asCpp20;
        modules = [
          {
            name = "flash_attn_2_cuda";
            architectures = cudaArchitectures;
            includes = [
              "csrc/flash_attn"
              "csrc/flash_attn/src"
              "csrc/cutlass/include"
            ];
            flags = [
              "-O3"
              "-std=c++20"
              "-U__CUDA_NO_HALF_OPERATORS__"
              "-U__CUDA_NO_HALF_CONVERSIONS__"
              "-U__CUDA_NO_HALF2_OPERATORS__"
              "-U__CUDA_NO_BFLOAT16_CONVERSIONS__"
              "--expt-relaxed-constexpr"
              "--expt-extended-lambda"
              "--use_fast_math"
            ];
            units =
              product
                [
                  [
                    "fwd"
                    "fwd_split"
                    "bwd"
                  ]
                  [
                    "32"
                    "64"
                    "96"
                    "128"
                    "192"
                    "256"
                  ]
                  [
                    "fp16"
                    "bf16"
                  ]
                  [
                    ""
                    "_causal"
                  ]
                ]
                (
                  unit:
                  let
                    part = builtins.elemAt unit;
                  in
                  "csrc/flash_attn/src/flash_${part 0}_hdim${part 1}_${part 2}${part 3}_sm80.cu"
                );
          }
        ];
      };

    sageattention =
      package:
      let
        module = name: architectures: files: {
          inherit architectures;
          name = "_${name}";
          units = map (file: "csrc/${file}.cu") files;
          usesPython = true;
          flags = [
            "-O3"
            "-std=c++20"
            "-U__CUDA_NO_HALF_OPERATORS__"
            "-U__CUDA_NO_HALF_CONVERSIONS__"
            "--use_fast_math"
            "-Xptxas=-v"
            "-diag-suppress=174"
            "-D_GLIBCXX_USE_CXX11_ABI=1"
          ];
        };
        sm89 = "qattn/sm89_qk_int8_sv_f8_accum_";
      in
      cudaExtension {
        pname = package.name;
        inherit (package) version;
        source = sources.gitTree package.name;
        env = {
          # Decides which modules there are.
          TORCH_CUDA_ARCH_LIST = builtins.concatStringsSep ";" withFp8;
          EXT_PARALLEL = "1";
        };
        # The driver's library is on no build machine; the module looks for its soname. The
        # linker notes it only for the sake of a function that it has.
        patch = asCpp20 + ''
          mkdir /build/driver
          echo 'void cuTensorMapEncodeTiled(void) {}' |
              gcc -shared -Wl,-soname,libcuda.so.1 -o /build/driver/libcuda.so -x c -
          export LIBRARY_PATH=/build/driver
        '';
        modules = builtins.filter (module: module.architectures != [ ]) [
          (module "qattn_sm80" forSageAttention [ "qattn/qk_int_sv_f16_cuda_sm80" ])
          (module "qattn_sm89" (builtins.filter hasFp8 withFp8) [
            "${sm89}f16_attn_inst_buf"
            "${sm89}f16_fuse_v_scale_attn_inst_buf"
            "${sm89}f32_attn"
            "${sm89}f32_attn_inst_buf"
            "${sm89}f32_fuse_v_scale_attn"
            "${sm89}f32_fuse_v_scale_attn_inst_buf"
            "${sm89}f32_fuse_v_scale_fuse_v_mean_attn"
          ])
          # Hopper's matrix instructions belong to the architecture's own feature set.
          (module "qattn_sm90" (
            if builtins.elem "9.0" (map bare cudaArchitectures) then [ "9.0a" ] else [ ]
          ) [ "qattn/qk_int_sv_f8_cuda_sm90" ])
          (module "fused" withFp8 [ "fused/fused" ])
        ];
      };

    nunchaku =
      package:
      let
        attention = "third_party/Block-Sparse-Attention/csrc/block_sparse_attn";
      in
      cudaExtension {
        pname = package.name;
        inherit (package) version;
        # CUTLASS of 2023 calls a function by a name that it does not have; since version 15 GCC
        # refuses that in a template that nobody uses, too. Half of the tree is CUTLASS again.
        source = runCommand "nunchaku-source" { source = sources.gitTree package.name; } ''
          cp -r "$source" "$out"
          chmod -R u+w "$out"
          rm -rf "$out/third_party/Block-Sparse-Attention/csrc/cutlass"
          sed -i 's/\bset_slice3x3\b/set_slice_3x3/' "$out/third_party/cutlass/include/cutlass/matrix.h"
        '';
        env = {
          # It asks for debugging information, hundreds of megabytes.
          LDFLAGS = "-Wl,--strip-debug";
          # Else it compiles for the build machine's devices.
          NUNCHAKU_INSTALL_MODE = "ALL";
          # Else it adds line tables, which a published wheel has not either.
          NUNCHAKU_BUILD_WHEELS = "1";
        };
        lowers = [ (cudaTreeOf byName.nvidia-nvtx) ];
        modules = [
          {
            name = "_C";
            architectures = forNunchaku;
            includes = [
              "src"
              "third_party/cutlass/include"
              "third_party/json/include"
              "third_party/mio/include"
              "third_party/spdlog/include"
              attention
            ];
            flags = [
              "-DENABLE_BF16=1"
              "-DBUILD_NUNCHAKU=1"
              "-g"
              "-std=c++20"
              "-UNDEBUG"
              "-Xcudafe"
              "--diag_suppress=20208"
              "-U__CUDA_NO_HALF_OPERATORS__"
              "-U__CUDA_NO_HALF_CONVERSIONS__"
              "-U__CUDA_NO_HALF2_OPERATORS__"
              "-U__CUDA_NO_HALF2_CONVERSIONS__"
              "-U__CUDA_NO_BFLOAT16_OPERATORS__"
              "-U__CUDA_NO_BFLOAT16_CONVERSIONS__"
              "-U__CUDA_NO_BFLOAT162_OPERATORS__"
              "-U__CUDA_NO_BFLOAT162_CONVERSIONS__"
              "--expt-relaxed-constexpr"
              "--expt-extended-lambda"
              "--ptxas-options=--allow-expensive-optimizations=true"
            ];
            units =
              product
                [
                  [
                    ""
                    "_block"
                  ]
                  [
                    "64"
                    "128"
                  ]
                  [
                    "fp16"
                    "bf16"
                  ]
                ]
                (
                  unit:
                  let
                    part = builtins.elemAt unit;
                  in
                  "${attention}/src/flash_fwd${part 0}_hdim${part 1}_${part 2}_sm80.cu"
                )
              ++ map (file: "src/kernels/${file}.cu") [
                "activation_kernels"
                "awq/gemm_awq"
                "awq/gemv_awq"
                "dwconv"
                "gemm_batched"
                "gemm_f16"
                "layernorm_kernels"
                "misc_kernels"
                "zgemm/attention"
                "zgemm/gemm_w4a4"
                "zgemm/gemm_w4a4_launch_bf16_fp4"
                "zgemm/gemm_w4a4_launch_bf16_int4"
                "zgemm/gemm_w4a4_launch_fp16_fp4"
                "zgemm/gemm_w4a4_launch_fp16_int4"
                "zgemm/gemm_w4a4_launch_fp16_int4_fasteri2f"
                "zgemm/gemm_w4a4_test"
                "zgemm/gemm_w8a8"
              ];
          }
        ];
      };
  };
  # A published wheel is taken as it is.
  isCompiled = name: byName ? ${name} && byName.${name}.kind != "wheel";
  names = builtins.filter isCompiled (builtins.attrNames recipes);
in
builtins.listToAttrs (
  map (name: {
    inherit name;
    value = recipes.${name} byName.${name};
  }) names
)
