/**
  A wheel of three small CUDA sources, taken apart like flash-attn. It fails in a minute when a
  new PyTorch compiles extensions with other flags than `cudaExtension` gives its objects, and
  not after hours.

  Type: cudaExtensionTest :: AttrSet -> { objects, record, wheel }
*/
# The variant.
variant:
variant.cudaExtension {
  pname = "cuda-extension-test";
  version = "1.0";
  source = "${./tests/cuda-extension}";
  modules = [
    {
      name = "cuda_extension_test";
      # One after another, and one of an architecture's own instructions.
      architectures = [
        "8.0"
        "9.0a"
        "12.0+PTX"
      ];
      flags = [
        "-O1"
        "-std=c++17"
      ];
      units = [
        "kernels/one.cu"
        "kernels/two.cu"
        "kernels/three.cu"
      ];
    }
  ];
}
