/**
  `layers/layers.toml`: which layers there are, and what each is fed from; and
  `layers/replacements.toml`: what a layer may replace in the layers below it.

  Type: { root } -> { all, aloneFromBytes, blobs, cuda, cudaMetadata, debianRoots, final,
  foundation, layerOfList, names, replacements, withDebian }
*/
{ root }:
let
  file = builtins.fromTOML (builtins.readFile (root + "/layers/layers.toml"));
  all = file.layers;
  names = map (layer: layer.name) all;

  # The number in a name is its place: people type it, and it is what sorts directories.
  twoDigits = place: if place < 10 then "0${toString place}" else toString place;
  misplaced = builtins.filter (place: !isAt (place + 1) (builtins.elemAt names place)) (
    builtins.genList (place: place) (builtins.length names)
  );
  isAt = place: name: builtins.match "${twoDigits place}-[a-z][a-z0-9-]*" name != null;
  isKnown = name: builtins.elem name names;

  foundation = file.foundation or (builtins.elemAt names (builtins.length names - 1));

  # Engines stop at about 125 layers, overlayfs at 500.
  maxBlobs = 100;
  blobsOf = layer: layer.blobs or 4;
  nBlobs = builtins.foldl' (sum: layer: sum + blobsOf layer) 0 all;

  checked =
    if misplaced != [ ] then
      throw "layers/layers.toml: `${builtins.elemAt names (builtins.head misplaced)}` is layer ${
        twoDigits (builtins.head misplaced + 1)
      } by its place, and must be called so"
    else if !(isKnown file.cuda && isKnown file.cuda_metadata && isKnown foundation) then
      throw "layers/layers.toml: `cuda`, `cuda_metadata` and `foundation` must name layers"
    else if nBlobs > maxBlobs then
      throw "layers/layers.toml: the layers may have ${toString nBlobs} blobs together, and an image ${toString maxBlobs}: lower `blobs` of one"
    else
      all;
  namesWhere = isWanted: map (layer: layer.name) (builtins.filter isWanted checked);
in
{
  inherit all;
  names = namesWhere (_: true);

  /**
    The last one: the whole image.
  */
  final = builtins.elemAt names (builtins.length checked - 1);

  /**
    The layer with the files of NVIDIA's wheels, and the one with their metadata.
  */
  inherit (file) cuda;
  cudaMetadata = file.cuda_metadata;

  /**
    The last layer of the part that all others stand on: `layers/layers.toml`.
  */
  inherit foundation;

  /**
    Name of each Debian root that is part of the image -> its layer.
  */
  debianRoots = builtins.listToAttrs (
    map (layer: {
      name = layer.debian;
      value = layer.name;
    }) (builtins.filter (layer: layer ? debian) checked)
  );

  /**
    Name of a layer -> the most blobs it is cut into.
  */
  blobs = builtins.listToAttrs (
    map (layer: {
      inherit (layer) name;
      value = blobsOf layer;
    }) checked
  );

  /**
    A package of this size or more, in bytes, may have a blob of its own, and that lies below the
    groups of small ones. Below this size, what a blob costs every look-up is worth more than what
    it spares a pull.
  */
  aloneFromBytes = 16000000;

  /**
    What a layer may replace in those below it: [ { packages, paths, reason } ].
  */
  replacements =
    (builtins.fromTOML (builtins.readFile (root + "/layers/replacements.toml"))).replacement;

  /**
    Names of the layers that have a Debian root of their own, the bottom one first.
  */
  withDebian = namesWhere (layer: layer ? debian);

  /**
    The layer that a list of `package-lists/` feeds.
  */
  layerOfList =
    list:
    let
      found = namesWhere (layer: builtins.elem list (layer.lists or [ ]));
    in
    if found == [ ] then
      throw "layers/layers.toml: no layer has the list `${list}`"
    else
      builtins.head found;
}
