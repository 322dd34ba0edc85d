{
  trees =
    { name, variant, ... }:
    [
      (variant.debianEntry "tools")
      {
        package = "cpython ${variant.lock.python}";
        path = "${variant.interpreter}";
        byteCode = "${variant.byteCode {
          pname = "cpython";
          inherit (builtins.parseDrvName variant.interpreter.name) version;
          tree = variant.interpreter;
          directory = variant.libraryDirectory;
        }}";
      }
      {
        package = "layer-02-files";
        path = "${variant.fileTree "layer-02-files" ./root}";
      }
    ]
    ++ variant.listEntries name;
}
