{
  description = "The ComfyUI image factory: its layers, one image, the same bytes for everyone";

  outputs =
    _:
    import ./nix/everySystem.nix { root = ./.; } [
      "apps"
      "checks"
      "devShells"
      "legacyPackages"
      "packages"
    ] (factory: factory.rootFlake);
}
