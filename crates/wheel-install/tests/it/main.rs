//! Wheels made byte by byte: sound ones, and every lie that an archive can tell.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod cli;
mod hostile;
mod properties;
mod sound;
mod wheel;
