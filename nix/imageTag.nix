/**
  Last part of an image's tag: which PyTorch and which Python a lock has.

  Type: imageTag :: AttrSet -> String

  Example:
    imageTag { python = "cp314t"; package = [ { name = "torch"; version = "2.14.1"; } ]; }
    => "pt214-py314t"
*/
lock:
let
  torch = builtins.filter (package: package.name == "torch") lock.package;
  part = builtins.elemAt (builtins.splitVersion (builtins.head torch).version);
in
if torch == [ ] then
  throw "a lock for ${lock.python} has no torch, after which its image is called; name it in package-lists/pytorch.txt and run `cargo xtask update-locks`"
else
  "pt${part 0}${part 1}-${builtins.replaceStrings [ "cp" ] [ "py" ] lock.python}"
