{
  trees =
    { name, variant, ... }:
    [
      {
        package = "debian-tools";
        path = "${variant.debian.tools}";
      }
      {
        package = "cpython ${variant.lock.python}";
        path = "${variant.interpreter}";
      }
      {
        package = "layer-02-files";
        path = "${variant.fileTree "layer-02-files" ./root}";
      }
    ]
    ++ variant.listEntries name;
}
