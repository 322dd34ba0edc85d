{
  description = "Layer 02: CPython 3.14, its packaging tools, and what people use on a shell";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
