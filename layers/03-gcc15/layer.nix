{
  trees =
    { variant, ... }:
    [
      {
        package = "debian-gcc15";
        path = "${variant.debian.gcc15}";
      }
    ];

  config = _: {
    Env = {
      CC = "gcc";
      CPP = "cpp";
      CXX = "g++";
    };
  };
}
