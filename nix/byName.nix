/**
  Named things of a list, by their names.

  Type: byName :: [ { name, ... } ] -> AttrSet
*/
things:
builtins.listToAttrs (
  map (thing: {
    inherit (thing) name;
    value = thing;
  }) things
)
