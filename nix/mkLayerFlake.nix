/**
  The outputs of one layer's flake, for every variant that is locked.

  Type: mkLayerFlake :: AttrSet -> AttrSet -> AttrSet
*/
{
  layerImage,
  layerSpec,
  locks,
  system,
  variants,
}:
{
  # `05-pak3`.
  name,
  # The flake of the layer below; null for the first.
  previous ? null,
  # { variant, below } -> [ { package, path } ]: what this layer adds. `below` has the
  # entries of each layer so far, by layer name.
  trees,
  # variant -> what this layer adds to the image configuration; `Env` and `Labels` merge.
  config ? (_: { }),
  # The whole image is streamed, never a file.
  isFinal ? false,
}:
let
  merge =
    below: own:
    below
    // own
    // {
      Env = (below.Env or { }) // (own.Env or { });
      Labels = (below.Labels or { }) // (own.Labels or { });
    };
  # OCI has `Env` as a list of NAME=VALUE.
  render =
    merged:
    merged // { Env = map (key: "${key}=${merged.Env.${key}}") (builtins.attrNames merged.Env); };

  nothing = {
    chain = [ ];
    config = { };
    entries = { };
    withArchitectures = _: nothing;
  };

  mkLayer =
    # The layer below of the same variant.
    below: variant:
    let
      variantName = variant.name;
      own = trees {
        inherit variant;
        below = below.entries;
      };
      spec = layerSpec {
        inherit name;
        trees = own;
      };
      chain = below.chain ++ [
        {
          inherit name spec;
          inherit tag;
          image = outputs.image;
        }
      ];
      merged = merge below.config (config variant);
      finalTag = "cu130-${variant.definition.variant or variantName}-${variant.definition.tag}";
      # The image of the lower layers alone has a name of its own.
      tag = if isFinal then finalTag else "${finalTag}-layer${builtins.substring 0 2 name}";
      outputs = layerImage {
        inherit name tag;
        imageName = "comfyui-boot";
        specs = map (layer: layer.spec) chain;
        config = render merged;
      };
    in
    {
      inherit chain spec tag;
      inherit (variant) interpreter;
      inherit (outputs) archive image stream;
      entries = below.entries // {
        ${name} = own;
      };
      config = merged;
      # This layer and those below, with CUDA code for other architectures.
      withArchitectures =
        architectures:
        mkLayer (below.withArchitectures architectures) (variant.withArchitectures architectures);
      package = if isFinal then outputs.stream else outputs.archive;
      # What xtask reads in one evaluation: `nix::plan::Plan`.
      plan = {
        variant = variantName;
        reference = "comfyui-boot:${tag}";
        layers = map (layer: {
          inherit (layer) name;
          spec = {
            drv = layer.spec.drvPath;
            out = layer.spec.outPath;
          };
          image = {
            drv = layer.image.drvPath;
            out = layer.image.outPath;
          };
        }) chain;
      };
    };
  layers = builtins.mapAttrs (
    variantName: mkLayer (if previous == null then nothing else previous.layers.${variantName})
  ) variants;
in
{
  inherit layers name;
  packages.${system} = builtins.mapAttrs (_: layer: layer.package) layers // {
    default = layers.${locks.defaultVariant}.package;
  };
}
