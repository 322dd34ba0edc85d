//! The command line.

use std::io::Write as _;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::health;
use crate::run::{only_prepare, run as start};
use crate::say::{set_verbose, write};
use crate::settings::Settings;

/// Start ComfyUI in its container
#[derive(Debug, Parser)]
#[command(name = "comfy-start", version, after_help = EXIT_TABLE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more about what is done
    #[arg(long, short, global = true)]
    verbose: bool,
}

const EXIT_TABLE: &str = "\
Exit status of `run`: ComfyUI's, or
  2   a variable of the environment makes no sense
  3   GPU, network, disk, permission, port
  70  a bug in this program";

#[derive(Debug, Subcommand)]
enum Command {
    /// Prepare the volume, and run ComfyUI to its end
    Run {
        /// Arguments for ComfyUI, after those of CLI_ARGS
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Prepare the volume only
    Prepare,
    /// Ask the running ComfyUI whether it is well; exit status 1 if not
    Health {
        /// Its port, if neither CLI_ARGS nor the command of the container says
        #[arg(long)]
        port: Option<u16>,
        /// How long an answer may take
        #[arg(long, value_name = "SECONDS", default_value = "5")]
        timeout: u16,
    },
}

/// Runs a command, renders its error on stderr, and returns the exit status.
pub fn run(cli: Cli) -> u8 {
    set_verbose(cli.verbose || std::env::var_os("COMFY_START_VERBOSE").is_some_and(|on| on == "1"));
    match dispatch(cli.command) {
        Ok(status) => status,
        Err(error) => {
            write(&error.render());
            error.exit_code()
        }
    }
}

fn dispatch(command: Command) -> Result<u8, Error> {
    let settings = Settings::from_environment()?;
    match command {
        Command::Run { arguments } => start(&settings, &arguments),
        Command::Prepare => only_prepare(&settings).map(|()| 0),
        Command::Health { port, timeout } => {
            let timeout = Duration::from_secs(timeout.max(1).into());
            let answer = health::check(&settings, port, timeout)?;
            // Who closed stdout does not want it.
            writeln!(std::io::stdout(), "{answer}").unwrap_or(());
            Ok(0)
        }
    }
}
