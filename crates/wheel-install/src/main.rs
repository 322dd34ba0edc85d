//! The `wheel-install` program: runs, renders the error, sets the exit status.

use std::process::ExitCode;

use wheel_install::cli::run;
use wheel_install::error::EXIT_BUG;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match std::panic::catch_unwind(|| run(&arguments)) {
        Ok(status) => ExitCode::from(status),
        // The panic's message is already on stderr.
        Err(_) => ExitCode::from(EXIT_BUG),
    }
}
