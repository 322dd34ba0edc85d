/**
  A package tree with apt's sources for the running container: those that Debian's own apt
  package shows as an example, so that no mirror's name stands in this repository.

  Type: { layers, runCommand, sources } -> Derivation
*/
{
  layers,
  runCommand,
  sources,
}:
runCommand "apt-sources" { deb = sources.debOf layers.debianRoots.base "apt"; } ''
  ar x "$deb"
  xz -dc data.tar.xz | tar -x ./usr/share/doc/apt/examples/debian.sources
  directory=$out/root/etc/apt/sources.list.d
  mkdir -p "$directory"
  cp usr/share/doc/apt/examples/debian.sources "$directory/debian.sources"
''
