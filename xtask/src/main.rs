//! `cargo xtask`: parse, dispatch, render the error, exit.

use std::process::ExitCode;

use clap::Parser as _;
use factory_base::ctx::Ctx;
use factory_base::error;
use factory_base::ui::Ui;
use xtask::cli::Cli;
use xtask::cmd;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.global.quiet, cli.global.verbose, cli.global.plain);
    let ctx = match Ctx::new(ui, cli.global.offline, cli.global.json) {
        Ok(ctx) => ctx,
        Err(error) => return fail(&Ui::new(false, false, true), &error),
    };
    match ctx
        .watch_signals()
        .and_then(|()| cmd::run(&ctx, cli.command))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&ctx.ui, &error),
    }
}

fn fail(ui: &Ui, error: &anyhow::Error) -> ExitCode {
    // `xtask … | head` is not a failure worth a message.
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if !error.chain().any(closed) {
        ui.error(error);
    }
    ExitCode::from(error::kind_of(error).exit_status())
}
