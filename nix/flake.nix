{
  description = "How the image is built: sources, Debian roots, wheels, source builds, layer specs";

  outputs =
    { self }:
    {
      lib = import ./. { root = ../.; };
    };
}
