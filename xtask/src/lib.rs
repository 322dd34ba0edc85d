//! The driver of the image factory, as a library so that tests can call it.

pub mod check;
pub mod cli;
pub mod cmd;
pub mod ctx;
pub mod cuda;
pub mod deb822;
pub mod debian;
pub mod engine;
pub mod error;
pub mod fs;
pub mod layer;
pub mod list;
pub mod lock;
pub mod nearest;
pub mod net;
pub mod nix;
pub mod process;
pub mod python;
pub mod report;
pub mod ui;
