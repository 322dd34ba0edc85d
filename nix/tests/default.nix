/**
  Unit tests of the pure functions: evaluation only, nothing is built. Gives the failures
  as `builtins.addErrorContext`-free data: `[ { name, expected, result } ]`.

  Type: { root } -> [ AttrSet ]
*/
{ root }:
let
  cases =
    import ./storeName.nix
    // import ./crateClosure.nix
    // import ./cudaLabel.nix
    // import ./imageTag.nix
    // import ./kernels.nix
    // import ./layers.nix { inherit root; }
    // import ./locks.nix { inherit root; }
    // import ./sharedFiles.nix { inherit root; };
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
