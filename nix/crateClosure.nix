/**
  The crates from a registry that one workspace member needs, of a parsed Cargo.lock.

  Type: crateClosure :: AttrSet -> String -> [ { name, version, checksum } ]

  Example:
    crateClosure { package = [ { name = "a"; version = "1"; dependencies = [ "b" ]; } { name = "b"; version = "2"; checksum = "…"; source = "…"; } ]; } "a"
    => [ { name = "b"; version = "2"; checksum = "…"; } ]
*/
# The parsed Cargo.lock.
lock:
# Name of the workspace member.
member:
let
  key = package: "${package.name} ${package.version}";
  byName = builtins.groupBy (package: package.name) lock.package;
  # An entry is `name`, or `name version` where the lock has several versions of it.
  find =
    entry:
    let
      words = builtins.filter builtins.isString (builtins.split " " entry);
      candidates = byName.${builtins.head words};
      matching = builtins.filter (package: package.version == builtins.elemAt words 1) candidates;
    in
    if builtins.length words == 1 then builtins.head candidates else builtins.head matching;
  closure = builtins.genericClosure {
    startSet = [
      {
        key = "start";
        package = builtins.head byName.${member};
      }
    ];
    operator =
      { package, ... }:
      map (
        entry:
        let
          dependency = find entry;
        in
        {
          key = key dependency;
          package = dependency;
        }
      ) (package.dependencies or [ ]);
  };
  packages = map (item: item.package) closure;
  isRegistry = package: package ? checksum;
in
map (package: { inherit (package) name version checksum; }) (builtins.filter isRegistry packages)
