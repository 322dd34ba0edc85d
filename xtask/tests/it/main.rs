//! The built program, run as a user runs it.

mod build;
mod fixture;
