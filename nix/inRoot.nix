/**
  Runs a script as root of a Debian tree: the lower trees overlaid, `/nix`, `/dev` and
  `/proc` bound in, then `chroot` (docs/design/D05-a-debian-root-in-the-sandbox.md).

  Nothing is copied: the lower trees are store paths, and what the script writes outside
  `$out` lands in a scratch directory of the build, `/build/upper`.

  Type: inRoot :: { seed, system } -> AttrSet -> Derivation
*/
{ seed, system }:
{
  # Derivation name.
  name,
  # Package trees (store paths with a `root` directory), the bottom one first.
  lowers,
  # Script that `interpreter` runs inside.
  script,
  # Shell sourced before the root is entered, as the build user.
  prepare ? "",
  # Shell sourced after the root is left, as the build user.
  finish ? "",
  # Program inside the root that runs the script.
  interpreter ? "/bin/bash",
  # Lay `$out/root`, as `prepare` left it, on top of the lower trees.
  onTop ? false,
  # Further environment variables.
  env ? { },
}:
derivation (
  {
    inherit
      finish
      interpreter
      name
      prepare
      script
      system
      ;
    builder = seed;
    args = [
      "sh"
      ./scripts/in-root.sh
    ];
    lowers = map (tree: "${tree}/root") lowers;
    onTop = if onTop then "1" else "";
    busybox = seed;
    # The image has one locale; builds have no other. Archives made in a build carry this time.
    LC_ALL = "C.UTF-8";
    SOURCE_DATE_EPOCH = "1";
  }
  // env
)
