//! `fetch` with the real Nix.
