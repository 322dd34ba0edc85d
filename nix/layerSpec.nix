/**
  The spec of one layer: its package trees with diff_id and size of each blob, as
  `comfy-image layer` writes it. A few kilobytes; the tar itself is never a file
  (docs/design/D09-the-image-is-never-a-file.md).

  Type: layerSpec :: { imageTool, runCommand } -> AttrSet -> Derivation
*/
{ imageTool, runCommand }:
{
  # `05-pak3`.
  name,
  # [ { package, path } ], in the order in which blobs are cut.
  trees,
}:
runCommand "layer${name}.json"
  {
    request = builtins.toJSON {
      schema_version = 1;
      inherit name trees;
      # No blob passes GHCR's limits of 10 GB and ten minutes; several are pushed at once.
      max_blob_size_bytes = 2000000000;
    };
    passAsFile = [ "request" ];
    inherit imageTool;
  }
  ''
    "$imageTool/bin/comfy-image" layer --request "$requestPath" --out "$out"
  ''
