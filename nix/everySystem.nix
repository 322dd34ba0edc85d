/**
  The outputs of a flake for every system: `packages.SYSTEM` and the like, of the outputs that
  each system's factory gives. Another system's are evaluated only when they are asked for.

  Type: { root } -> [ String ] -> (AttrSet -> AttrSet) -> AttrSet
*/
{ root }:
let
  systems = import ./systems.nix { inherit root; };
  factories = builtins.listToAttrs (
    map (name: {
      inherit name;
      value = import ./. {
        inherit root;
        system = name;
      };
    }) systems.names
  );
in
# Names of the outputs that depend on the system.
outputs:
# The outputs of one factory.
select:
builtins.listToAttrs (
  map (output: {
    name = output;
    value = builtins.mapAttrs (_: factory: (select factory).${output}) factories;
  }) outputs
)
