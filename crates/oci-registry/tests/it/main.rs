//! The server, asked over real connections.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod client;
mod conformance;
mod fixture;
mod hostile;
mod logins;
