/**
  The image of some layers: configuration, manifest and digests, as `comfy-image image` writes it.

  Type: layerImage :: { imageTool, layers, runCommand, target } -> AttrSet -> AttrSet
*/
{
  imageTool,
  layers,
  runCommand,
  # One of `systems.nix`.
  target,
}:
{
  # Name of the last layer.
  name,
  # Image name and tag.
  imageName,
  tag,
  # Layer specs, the bottom one first.
  specs,
  # The `config` object of the OCI image configuration.
  config,
}:
let
  image = runCommand "image-${name}.json" {
    request = builtins.toJSON {
      schema_version = 1;
      name = imageName;
      inherit config tag;
      inherit (layers) replacements;
      stacking = {
        large_from_bytes = layers.aloneFromBytes;
        inherit (layers) foundation;
      };
      architecture = target.oci;
      os = "linux";
      created = "1970-01-01T00:00:01Z";
      layers = map (spec: "${spec}") specs;
    };
    passAsFile = [ "request" ];
    inherit imageTool;
  } ''"$imageTool/bin/comfy-image" image --request "$requestPath" --out "$out"'';
in
{
  inherit image;

  /**
    `docker load < result`: the whole archive as a file.
  */
  archive = runCommand "${imageName}-${name}.tar" {
    inherit image imageTool;
  } ''"$imageTool/bin/comfy-image" stream --image "$image" >"$out"'';

  /**
    `./result | docker load`: a program that writes the archive.
  */
  stream = runCommand "stream-${imageName}-${name}" { inherit image imageTool; } ''
    printf '#!/bin/sh\nexec %s stream --image %s "$@"\n' "$imageTool/bin/comfy-image" "$image" >"$out"
    chmod +x "$out"
  '';
}
