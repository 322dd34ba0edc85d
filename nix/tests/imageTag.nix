let
  imageTag = import ../imageTag.nix;
  lock = python: torch: {
    inherit python;
    package = [
      {
        name = "torchvision";
        version = "0.29.1";
      }
      {
        name = "torch";
        version = torch;
      }
    ];
  };
in
{
  "imageTag.namesPytorchAndPython" = {
    expr = imageTag (lock "cp314t" "2.14.1");
    expected = "pt214-py314t";
  };
  "imageTag.knowsLocalVersions" = {
    expr = imageTag (lock "cp314" "2.10.0+cu130");
    expected = "pt210-py314";
  };
  "imageTag.wantsPytorch" = {
    expr =
      (builtins.tryEval (imageTag {
        python = "cp314t";
        package = [ ];
      })).success;
    expected = false;
  };
}
