let
  cudaLabel = import ../cudaLabel.nix;
in
{
  "cudaLabel.namesCodeAndPtx" = {
    expr = cudaLabel [
      "8.0"
      "9.0"
      "12.0+PTX"
    ];
    expected = "sm80-sm90-sm120ptx";
  };
}
