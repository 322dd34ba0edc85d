/**
  Turns a file name into a valid store path name.

  Store names hold `[0-9a-zA-Z+._?=-]` and do not begin with a dot; file names of
  Debian packages also hold `~` and `%`.

  Type: storeName :: String -> String

  Example:
    storeName "libfoo_1.0~rc1_amd64.deb"
    => "libfoo_1.0_rc1_amd64.deb"
*/
# The file name as the registry serves it.
fileName:
let
  isAllowed = character: builtins.match "[0-9a-zA-Z+._?=-]" character != null;
  characters = builtins.filter (part: part != "" && part != [ ]) (builtins.split "" fileName);
  cleaned = builtins.concatStringsSep "" (
    map (character: if isAllowed character then character else "_") characters
  );
in
if builtins.substring 0 1 cleaned == "." then "_${cleaned}" else cleaned
