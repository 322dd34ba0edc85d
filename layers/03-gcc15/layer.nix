{
  trees =
    { variant, ... }:
    [
      (variant.debianEntry "gcc15")
    ];

  config = _: {
    Env = {
      CC = "gcc";
      CPP = "cpp";
      CXX = "g++";
    };
  };
}
