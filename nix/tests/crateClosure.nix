let
  crateClosure = import ../crateClosure.nix;
  crate = name: version: dependencies: {
    inherit dependencies name version;
    checksum = "${name}${version}";
    source = "registry";
  };
  lock.package = [
    {
      name = "member";
      version = "0.1.0";
      dependencies = [
        "a"
        "b 2.0.0"
      ];
    }
    (crate "a" "1.0.0" [ "b 1.0.0" ])
    (crate "b" "1.0.0" [ ])
    (crate "b" "2.0.0" [ ])
    (crate "unrelated" "1.0.0" [ ])
  ];
in
{
  "crateClosure.followsVersions" = {
    expr = map (found: found.checksum) (crateClosure lock "member");
    expected = [
      "a1.0.0"
      "b2.0.0"
      "b1.0.0"
    ];
  };
}
