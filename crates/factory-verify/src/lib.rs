//! Checks of an image: what they are, where they run, what they found.

pub mod check;
pub mod engine;
pub mod report;
