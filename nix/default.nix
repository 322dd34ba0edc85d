/**
  The factory as one attribute set: table of contents of this directory.

  Type: { root, system ? the default one } -> AttrSet
*/
{
  # The checkout, as a path.
  root,
  # What the images are for: `aarch64-linux`.
  system ? (import ./systems.nix { inherit root; }).default,
}:
let
  target = (import ./systems.nix { inherit root; }).ofName system;

  storeName = import ./storeName.nix;
  locks = import ./locks.nix { inherit root target; };
  layers = import ./layers.nix { inherit root; };
  mkSource = import ./mkSource.nix { inherit storeName system; };
  sources = import ./sources.nix { inherit locks mkSource; };
  seed = "${sources.seed}/bin/busybox";

  inRoot = import ./inRoot.nix { inherit seed system; };
  runCommand = import ./runCommand.nix { inherit seed system; };
  fileTree = import ./fileTree.nix { inherit runCommand; };
  debianTree = import ./debianTree.nix { inherit inRoot seed system; };
  cpython = import ./cpython.nix { inherit inRoot target; };
  cudaTree = import ./cudaTree.nix { inherit runCommand; };
  cudaLabel = import ./cudaLabel.nix;

  debian = import ./debianRoots.nix {
    inherit
      debianTree
      layers
      locks
      root
      sources
      ;
  };
  inPython = import ./inPython.nix {
    inherit inRoot;
    pythonRoot = debian.build-python;
  };
  unpackWheel = import ./unpackWheel.nix {
    inherit system;
    inherit (locks) sharedFromBytes;
    wheelInstall = rustProgram { name = "wheel-install"; };
  };
  wheelTest = import ./wheelTest.nix {
    inherit
      inPython
      locks
      sources
      unpackWheel
      ;
    installer = sources.buildWheel "installer";
  };
  buildSdist = import ./buildSdist.nix { inherit inRoot; };
  overrideWheel = import ./overrideWheel.nix { inherit inPython; };
  byteCode = import ./byteCode.nix {
    inherit system target;
    pythonRoot = debian.build-python;
  };
  providedWheel = import ./providedWheel.nix { inherit inPython; };
  crateClosure = import ./crateClosure.nix;
  rustProgram = import ./rustProgram.nix {
    inherit
      crateClosure
      debian
      inRoot
      mkSource
      root
      target
      ;
  };
  aptSources = import ./aptSources.nix { inherit layers runCommand sources; };
  imageTool = rustProgram { name = "comfy-image"; };
  # The same program with libzstd: only a push builds it.
  encoder = rustProgram {
    name = "comfy-image";
    features = [ "encode" ];
  };
  comfyStart = rustProgram {
    name = "comfy-start";
    destination = "root/usr/local/bin";
  };

  mkVariant = import ./mkVariant.nix {
    inherit
      buildSdist
      byteCode
      cpython
      cudaLabel
      cudaTree
      debian
      fileTree
      inRoot
      layers
      locks
      overrideWheel
      providedWheel
      runCommand
      sources
      unpackWheel
      ;
  };
  comfyuiBundle = import ./comfyuiBundle.nix { inherit locks runCommand sources; };
  withBundle =
    variant:
    variant
    // {
      inherit aptSources comfyStart;
      comfyui = comfyuiBundle variant;
    };
  # `withArchitectures` gives the same variant with its CUDA code compiled for others, and a
  # tag that says so: `xtask --cuda-arch` applies it, for a flake has no arguments.
  variantOf =
    name: definition:
    withBundle (mkVariant name definition)
    // {
      withArchitectures =
        architectures:
        variantOf name (
          definition
          // {
            cuda_architectures = architectures;
            tag = "${definition.tag}-${cudaLabel architectures}";
          }
        );
    };
  variants = builtins.mapAttrs variantOf locks.variants;

  layerSpec = import ./layerSpec.nix { inherit imageTool layers runCommand; };
  layerImage = import ./layerImage.nix {
    inherit
      imageTool
      layers
      runCommand
      target
      ;
  };
  layerEncoded = import ./layerEncoded.nix { inherit encoder runCommand; };
  mkLayers = import ./mkLayers.nix {
    inherit
      layerEncoded
      layerImage
      layerSpec
      layers
      root
      target
      ;
  };
  variantLayers = builtins.mapAttrs (_: mkLayers) variants;
  layerFlake = import ./layerOutputs.nix { inherit locks variantLayers; };
  pythonEnvironment = import ./pythonEnvironment.nix { inherit inPython layers; };
  checkPackages = import ./checkPackages.nix { inherit debian inRoot pythonEnvironment; };
  rootFlake = import ./rootFlake.nix {
    inherit
      layers
      locks
      mkLayers
      variantLayers
      variants
      ;
    wheelTests = wheelTest.whole;
    apps = import ./apps.nix { inherit checkPackages imageTool runCommand; };
    checks = import ./checks.nix {
      cudaExtensionTest = (import ./cudaExtensionTest.nix variants.${locks.quickVariant}).wheel;
      slicedSdistTest = import ./slicedSdistTest.nix {
        inherit buildSdist;
      } variants.${locks.quickVariant};
      wheelTest = wheelTest.quick;
      inherit
        checkPackages
        imageTool
        root
        runCommand
        ;
    };
    devShell = import ./devShell.nix {
      inherit
        debian
        layers
        pythonEnvironment
        runCommand
        seed
        sources
        system
        ;
    };
  };
in
{
  inherit
    debian
    imageTool
    layerFlake
    layers
    locks
    rootFlake
    runCommand
    sources
    system
    variants
    ;
  /**
    Functions without effects, for the unit tests of `nix/tests`.
  */
  lib = { inherit crateClosure cudaLabel storeName; };
}
