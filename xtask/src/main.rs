//! `cargo xtask`: parse, dispatch, render the error, exit.

use std::process::ExitCode;

use clap::Parser as _;
use xtask::cli::Cli;
use xtask::cmd;
use xtask::ctx::Ctx;
use xtask::exit;
use xtask::ui::Ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.global.quiet, cli.global.verbose, cli.global.plain);
    let ctx = match Ctx::new(ui, cli.global.offline, cli.global.json) {
        Ok(ctx) => ctx,
        Err(error) => return exit::end(&Ui::new(false, false, true), Err(error)),
    };
    let outcome = ctx.watch_signals();
    exit::end(&ctx.ui, outcome.and_then(|()| cmd::run(&ctx, cli.command)))
}
