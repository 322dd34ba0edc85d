let
  package = kind: name: {
    inherit kind name;
    version = "1";
  };
  # Recipes as data: nothing is built.
  kernelsFor =
    cudaArchitectures:
    import ../kernels.nix {
      inherit cudaArchitectures;
      byName = {
        flash-attn = package "sdist" "flash-attn";
        sageattention = package "git" "sageattention";
        nunchaku = package "git" "nunchaku";
        nvidia-nvtx = package "wheel" "nvidia-nvtx";
      };
      cudaExtension = recipe: recipe;
      cudaTreeOf = wheel: wheel.name;
      runCommand =
        name: _: _:
        name;
      sources = {
        gitTree = name: name;
        pypiFile = file: file.name;
      };
    };
  architecturesOf =
    name: cudaArchitectures:
    builtins.listToAttrs (
      map (module: {
        inherit (module) name;
        value = module.architectures;
      }) (kernelsFor cudaArchitectures).${name}.modules
    );
  nUnits =
    name:
    builtins.length (
      builtins.concatMap (module: module.units)
        (kernelsFor [
          "8.0"
          "9.0"
        ]).${name}.modules
    );
in
{
  "kernels.theTableOfGpusHasWhatIsCompiled" = {
    expr =
      let
        of =
          name: module:
          (architecturesOf name [
            "8.0"
            "9.0+PTX"
            "12.0+PTX"
          ]).${module};
      in
      {
        flash-attn = of "flash-attn" "flash_attn_2_cuda";
        sageattention = of "sageattention" "_fused";
        nunchaku = of "nunchaku" "_C";
      };
    expected =
      (builtins.fromTOML (builtins.readFile ../../layers/12-comfyui/checks/gpu-support.toml))
      .data.compiled;
  };
  "kernels.flashAttnTakesTheVariantsArchitectures" = {
    expr = architecturesOf "flash-attn" [
      "8.0"
      "12.0+PTX"
    ];
    expected.flash_attn_2_cuda = [
      "8.0"
      "12.0+PTX"
    ];
  };
  "kernels.sageattentionHasFp8AndHopper" = {
    expr = architecturesOf "sageattention" [
      "8.0"
      "9.0"
    ];
    expected = {
      _fused = [
        "8.0"
        "9.0"
        "8.9"
      ];
      _qattn_sm80 = [
        "8.0"
        "9.0"
      ];
      _qattn_sm89 = [
        "9.0"
        "8.9"
      ];
      _qattn_sm90 = [ "9.0a" ];
    };
  };
  "kernels.nunchakuLeavesHopperOut" = {
    expr = architecturesOf "nunchaku" [
      "8.0"
      "9.0"
      "12.0+PTX"
    ];
    expected._C = [
      "8.0"
      "8.6"
      "12.0a"
    ];
  };
  "kernels.nunchakuHasEachOnce" = {
    expr = architecturesOf "nunchaku" [
      "8.0"
      "8.6"
    ];
    expected._C = [
      "8.0"
      "8.6"
    ];
  };
  "kernels.nunchakuForHopperAlone" = {
    expr = architecturesOf "nunchaku" [ "9.0+PTX" ];
    expected._C = [ "9.0" ];
  };
  "kernels.nunchakuKeepsWhatIsNamed" = {
    expr = architecturesOf "nunchaku" [ "8.9" ];
    expected._C = [ "8.9" ];
  };
  "kernels.everyUnit" = {
    expr = map nUnits [
      "flash-attn"
      "nunchaku"
      "sageattention"
    ];
    expected = [
      72
      25
      10
    ];
  };
}
