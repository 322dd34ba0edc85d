{
  description = "How the image is built: sources, Debian roots, wheels, source builds, layer specs";

  outputs = _: {
    lib = import ./. { root = ../.; };
  };
}
