{ locks, root }:
let
  layers = (import ../layers.nix { inherit root; }).names;
  unknownLayers =
    name:
    builtins.filter (package: !builtins.elem package.layer layers) (
      locks.python.${name}.package or [ ]
    );
  # A package from git must not meet one of the same name from the index, as `ffmpy` would.
  namesOf =
    name:
    map (package: package.name) (
      builtins.concatMap (kind: locks.python.${name}.${kind} or [ ]) [
        "package"
        "git"
        "provided"
      ]
    );
  namedTwice =
    name:
    let
      byName = builtins.groupBy (package: package) (namesOf name);
    in
    builtins.filter (package: builtins.length byName.${package} > 1) (builtins.attrNames byName);
  namesWhere =
    isWanted:
    builtins.filter (name: isWanted locks.variants.${name}) (builtins.attrNames locks.variants);
  # Everything of the variant but what comes from git, and a tag that says so.
  lacksGit =
    name:
    let
      definition = locks.variants.${name};
      lock = locks.python.${name};
    in
    !definition.git
    && lock.git == [ ]
    && lock.bundle == [ ]
    && lock.package == locks.python.${definition.variant}.package
    && builtins.elem "comfyui" definition.omittedGit
    && definition.tag == "${locks.variants.${definition.variant}.tag}-nogit";
in
{
  "locks.everyNameOnce" = {
    expr = builtins.concatMap namedTwice (builtins.attrNames locks.variants);
    expected = [ ];
  };
  "locks.siblingsWithoutGit" = {
    expr = builtins.filter lacksGit (namesWhere (definition: definition ? omittedGit));
    expected = map (name: "${name}-nogit") (namesWhere (definition: definition.git));
  };
  "locks.namedVariantsAreLocked" = {
    expr = builtins.filter (name: !(builtins.hasAttr name locks.variants)) [
      locks.defaultVariant
      locks.quickVariant
    ];
    expected = [ ];
  };
  "locks.everyLayerExists" = {
    expr = builtins.concatMap unknownLayers (builtins.attrNames locks.variants);
    expected = [ ];
  };
}
