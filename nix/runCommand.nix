/**
  Runs a few lines of shell with the seed's applets on PATH, outside any Debian root.

  Type: runCommand :: { seed, system } -> String -> AttrSet -> String -> Derivation
*/
{ seed, system }:
# Derivation name.
name:
# Environment variables.
env:
# Shell lines; they make `$out`.
script:
derivation (
  {
    inherit name script system;
    builder = seed;
    busybox = seed;
    passAsFile = [ "script" ] ++ (env.passAsFile or [ ]);
    args = [
      "sh"
      "-euc"
      ''
        $busybox mkdir -p /build/applets
        $busybox --install -s /build/applets
        export PATH=/build/applets
        . "$scriptPath"
      ''
    ];
  }
  // removeAttrs env [ "passAsFile" ]
)
