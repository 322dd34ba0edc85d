{ locks, root }:
let
  layers = import ../layers.nix { inherit root; };
  packageLists = import ../package-lists.nix {
    inherit layers;
    lock = locks.python.${locks.quickVariant};
    gitSources = locks.sources.git;
  };
  entriesOf = directory: builtins.readDir (root + "/${directory}");
  directories = builtins.filter (name: (entriesOf "layers").${name} == "directory") (
    builtins.attrNames (entriesOf "layers")
  );
  lists = builtins.concatMap (layer: layer.lists or [ ]) layers.all;
  # But for its description, a layer's flake says nothing that another one does not.
  linesOf =
    name:
    builtins.filter (line: builtins.isString line && builtins.match " *description = .*" line == null) (
      builtins.split "\n" (builtins.readFile (root + "/layers/${name}/flake.nix"))
    );
  workflow = builtins.readFile (root + "/.github/workflows/stages.yml");
  hasJob = stage: builtins.replaceStrings [ "layers: ${stage}\n" ] [ "" ] workflow != workflow;
in
{
  "layers.eachIsADirectory" = {
    expr = layers.names;
    expected = directories;
  };
  "layers.flakesAreAlike" = {
    expr = builtins.filter (name: linesOf name != linesOf layers.final) layers.names;
    expected = [ ];
  };
  "layers.listsExistAndFeedOneLayer" = {
    expr = builtins.attrNames (builtins.groupBy (list: list) lists);
    expected = builtins.sort (one: other: one < other) (
      builtins.filter (list: (entriesOf "package-lists") ? ${list}) lists
    );
  };
  # Else CI would leave layers out.
  "layers.everyStageIsAJobOfCi" = {
    expr = builtins.filter (layer: !hasJob layer.stage) layers.all;
    expected = [ ];
  };
  "layers.haveTheirDebianRoots" = {
    expr = builtins.filter (name: !(locks.debian ? ${name})) layers.withDebian;
    expected = [ ];
  };
  "layers.packageSetsAreThoseOfTheirLists" = {
    expr = builtins.mapAttrs (
      _: packages: builtins.attrNames (builtins.groupBy (package: package.layer) packages)
    ) packageLists.sets;
    expected = {
      pak3 = [ (layers.layerOfList "pak3.txt") ];
      pak5 = [ (layers.layerOfList "pak5.txt") ];
      pak7 = [ (layers.layerOfList "pak7.txt") ];
    };
  };
}
