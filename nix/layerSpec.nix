/**
  The spec of one layer: its blobs and their package trees with diff_id and size of each, as
  `comfy-image layer` writes it. A few kilobytes; the tar itself is never a file
  (docs/design/D09-the-image-is-never-a-file.md).

  Type: layerSpec :: { imageTool, layers, runCommand } -> AttrSet -> Derivation
*/
{
  imageTool,
  layers,
  runCommand,
}:
{
  # `05-pak3`.
  name,
  # [ { package, path, contains ? [ ] } ]; a tree that contains Debian packages is cut by them
  trees,
}:
runCommand "layer${name}.json"
  {
    request = builtins.toJSON {
      schema_version = 1;
      inherit name trees;
      partition = {
        max_blobs = layers.blobs.${name};
        alone_from_bytes = layers.aloneFromBytes;
      };
    };
    passAsFile = [ "request" ];
    inherit imageTool;
  }
  ''
    "$imageTool/bin/comfy-image" layer --request "$requestPath" --out "$out"
  ''
