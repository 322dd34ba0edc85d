//! Downloads: parallel, resumable, hashed while streamed. Knows no Nix.
