/**
  Unit tests of the pure functions: evaluation only, nothing is built. Gives the failures
  as `builtins.addErrorContext`-free data: `[ { name, expected, result } ]`.

  Type: { root } -> [ AttrSet ]
*/
{ root }:
let
  systems = import ../systems.nix { inherit root; };
  locksOf =
    name:
    import ../locks.nix {
      inherit root;
      target = systems.ofName name;
    };
  locks = locksOf systems.default;
  cases =
    import ./storeName.nix
    // import ./crateClosure.nix
    // import ./cudaLabel.nix
    // import ./imageTag.nix
    // import ./kernels.nix
    // import ./layers.nix { inherit locks root; }
    // import ./locks.nix { inherit locks root; }
    // import ./sharedFiles.nix { inherit locks root; }
    // import ./systems.nix { inherit locksOf root systems; };
  run =
    name:
    let
      case = cases.${name};
    in
    if case.expr == case.expected then
      [ ]
    else
      [
        {
          inherit name;
          inherit (case) expected;
          result = case.expr;
        }
      ];
in
builtins.concatMap run (builtins.attrNames cases)
