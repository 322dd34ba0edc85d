//! The `comfy-start` program: parses, dispatches, renders the error, sets the exit status.

use std::process::ExitCode;

use clap::Parser as _;
use comfy_start::cli::{Cli, run};
use comfy_start::error::EXIT_BUG;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match std::panic::catch_unwind(|| run(cli)) {
        Ok(status) => ExitCode::from(status),
        // The panic's message is already on stderr.
        Err(_) => ExitCode::from(EXIT_BUG),
    }
}
