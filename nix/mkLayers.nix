/**
  The layers of a variant by name, each with the image of it and those below. What a layer
  holds is what its lists ask for, unless `layers/NAME/layer.nix` says otherwise:

  - `trees`: { below, name, variant } -> [ { package, path, byteCode ? none, contains ? [ ] } ],
    what the layer adds; `contains` names the packages of a tree that has several. `below` has
    the entries of each layer so far, by layer name.
  - `config`: { name, variant } -> what it adds to the image configuration; `Env` and `Labels`
    merge.

  Type: mkLayers :: AttrSet -> AttrSet -> AttrSet
*/
{
  layerEncoded,
  layerImage,
  layerSpec,
  layers,
  root,
  # One of `systems.nix`.
  target,
}:
# A variant.
variant:
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

  # What the layer's directory says of it.
  ownOf =
    name:
    let
      file = root + "/layers/${name}/layer.nix";
      usual = {
        trees = { name, variant, ... }: variant.listEntries name;
        config = _: { };
      };
    in
    usual // (if builtins.pathExists file then import file else { });

  # Byte code follows what it was compiled from, so that both are in one blob.
  withByteCode =
    entry:
    [
      {
        inherit (entry) package path;
        contains = entry.contains or [ ];
      }
    ]
    ++ (
      if entry ? byteCode then
        [
          {
            inherit (entry) package;
            path = entry.byteCode;
          }
        ]
      else
        [ ]
    );

  # What `cargo xtask push --compression` knows.
  compressions = [
    "gzip"
    "zstd"
  ];

  # What xtask wants to know of a derivation.
  show = derivation: {
    drv = derivation.drvPath;
    out = derivation.outPath;
  };

  nothing = {
    chain = [ ];
    config = { };
    entries = { };
  };

  mkLayer =
    # The layer below.
    below: name:
    let
      own = ownOf name;
      entries = own.trees {
        inherit name variant;
        below = below.entries;
      };
      spec = layerSpec {
        inherit name;
        trees = builtins.concatMap withByteCode entries;
      };
      chain = below.chain ++ [
        {
          inherit name spec;
          inherit tag;
          image = outputs.image;
          encoded = builtins.listToAttrs (
            map (compression: {
              name = compression;
              value = layerEncoded { inherit compression name spec; };
            }) compressions
          );
        }
      ];
      config = merge below.config (own.config { inherit name variant; });
      # The whole image is streamed, never a file.
      isFinal = name == layers.final;
      # Images for several systems may stand in one registry.
      ofSystem = if target.isDefault then "" else "-${target.oci}";
      finalTag = "cu130-${
        variant.definition.variant or variant.name
      }-${variant.definition.tag}${ofSystem}";
      # The image of the lower layers alone has a name of its own.
      tag = if isFinal then finalTag else "${finalTag}-layer${builtins.substring 0 2 name}";
      outputs = layerImage {
        inherit name tag;
        imageName = "comfyui-boot";
        specs = map (layer: layer.spec) chain;
        config = render config;
      };
    in
    {
      inherit
        chain
        config
        name
        spec
        tag
        ;
      inherit (variant) interpreter;
      inherit (outputs) archive image stream;
      entries = below.entries // {
        ${name} = entries;
      };
      package = if isFinal then outputs.stream else outputs.archive;
      # What xtask reads in one evaluation: `nix::plan::Plan`.
      plan = {
        variant = variant.name;
        reference = "comfyui-boot:${tag}";
        layers = map (layer: {
          inherit (layer) name;
          spec = show layer.spec;
          image = show layer.image;
          encoded = builtins.mapAttrs (_: show) layer.encoded;
        }) chain;
      };
    };

  stacked = builtins.foldl' (
    below: name: below ++ [ (mkLayer (if below == [ ] then nothing else last below) name) ]
  ) [ ] layers.names;
  last = list: builtins.elemAt list (builtins.length list - 1);
in
import ./byName.nix stacked
