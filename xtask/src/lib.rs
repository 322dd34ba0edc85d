//! The command line of the image factory, as a library so that tests can call it.

pub mod cli;
pub mod cmd;
