{
  description = "Layer 08: Face analysis and packages from git";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
