{
  locksOf,
  root,
  systems,
}:
let
  others = builtins.filter (name: name != systems.default) systems.names;
  variantsFile = builtins.fromTOML (builtins.readFile (root + "/package-lists/variants.toml"));
  # As variants.toml says of a system.
  variantsFor =
    system:
    builtins.filter (
      name: builtins.elem system (variantsFile.variant.${name}.systems or [ systems.default ])
    ) (builtins.attrNames variantsFile.variant);
  lockedFor =
    system:
    builtins.filter (name: variantsFile.variant ? ${name}) (
      builtins.attrNames (locksOf system).variants
    );
  filesOf =
    system:
    map (package: package.file) (locksOf system).python.${(locksOf system).quickVariant}.package;
  isFor = machine: file: builtins.match ".*_${machine}[.]whl" file != null;
  systemOf = name: builtins.getAttr "machine" (systems.ofName name);
  # Wheels of a system that are for the machine of another.
  foreign =
    system:
    builtins.filter (
      file: builtins.any (other: other != system && isFor (systemOf other) file) systems.names
    ) (filesOf system);
in
{
  "systems.names" = {
    expr = (systems.ofName "aarch64-linux").triplet;
    expected = "aarch64-linux-gnu";
  };
  "systems.variantsAreLocked" = {
    expr = map lockedFor systems.names;
    expected = map variantsFor systems.names;
  };
  "systems.defaultVariantIsLocked" = {
    expr = builtins.filter (
      system: !((locksOf system).variants ? ${(locksOf system).defaultVariant})
    ) systems.names;
    expected = [ ];
  };
  "systems.everyOneHasNativeWheels" = {
    expr = builtins.filter (
      system: !(builtins.any (isFor (systemOf system)) (filesOf system))
    ) systems.names;
    expected = [ ];
  };
  "systems.noWheelOfAnother" = {
    expr = builtins.concatMap foreign systems.names;
    expected = [ ];
  };
  "systems.sourcesAreShared" = {
    expr = builtins.filter (
      system: (locksOf system).sources != (locksOf systems.default).sources
    ) others;
    expected = [ ];
  };
}
