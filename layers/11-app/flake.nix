{
  description = "Layer 11: Builder and runner scripts, and the bundle's directories";

  outputs = _: import ../../nix/layerFlake.nix ./.;
}
