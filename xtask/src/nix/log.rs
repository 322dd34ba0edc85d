//! Nix's structured log (`--log-format internal-json`), one JSON document a line.
