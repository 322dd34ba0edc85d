/**
  CUDA architectures as a part of names and tags.

  Type: cudaLabel :: [ String ] -> String

  Example:
    cudaLabel [ "8.0" "12.0+PTX" ]
    => "sm80-sm120ptx"
*/
architectures:
builtins.concatStringsSep "-" (
  map (
    architecture: "sm${builtins.replaceStrings [ "." "+PTX" ] [ "" "ptx" ] architecture}"
  ) architectures
)
