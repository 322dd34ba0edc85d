/**
  What the blobs of one layer are for a registry: digest and size of each in one encoding, as
  `comfy-image compress` writes it. Only a push builds it, and the encoded bytes are not kept
  (docs/design/D14-compressed-blobs.md).

  Type: layerEncoded :: { encoder, runCommand } -> AttrSet -> Derivation
*/
{
  encoder,
  runCommand,
}:
{
  # `05-pak3`.
  name,
  # The layer's spec.
  spec,
  # `zstd` or `gzip`.
  compression,
}:
runCommand "layer${name}-${compression}.json" { inherit compression encoder spec; } ''
  "$encoder/bin/comfy-image" compress --spec "$spec" --compression "$compression" --out "$out"
''
