/**
  Recipes for distributions without a usable wheel. The default builds a plain sdist with
  setuptools; an entry of `recipes` adds what one distribution needs beyond that.

  Type: AttrSet -> { wheelOf :: AttrSet -> Derivation }
*/
{
  buildSdist,
  debian,
  # The variant's CPython tree.
  interpreter,
  sources,
  # The variant's package trees by normalized name; build requirements come from here.
  trees,
}:
let
  # What every build stands on, the bottom one first.
  toolchain = [
    debian.base
    debian.tools
    debian.gcc15
    interpreter
    trees.pip
    trees.setuptools
    trees.wheel
    trees.packaging
  ];

  # name -> { buildRequirements ? [ names ], env ? { }, patch ? "" }
  recipes = { };

  plain = {
    buildRequirements = [ ];
    env = { };
    patch = "";
  };
in
{
  inherit recipes toolchain;

  /**
    The derivation that holds the one wheel of a locked sdist.
  */
  wheelOf =
    package:
    let
      recipe = plain // (recipes.${package.name} or { });
    in
    buildSdist {
      pname = package.name;
      inherit (package) version;
      source = sources.pypiFile package;
      lowers = toolchain ++ map (name: trees.${name}) recipe.buildRequirements;
      inherit (recipe) env patch;
    };
}
