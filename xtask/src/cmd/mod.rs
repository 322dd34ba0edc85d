//! One subcommand per file, each `run(ctx, args)`.

mod bench;
mod build;
mod build_final;
mod carry;
mod clean;
mod completions;
mod diff;
mod doctor;
mod fetch;
mod hash_sources;
mod inspect;
mod load;
mod plan;
mod push;
mod report;
mod run;
mod sbom;
mod serve;
mod status;
mod stream;
mod update_locks;
mod verify;

use anyhow::Result;

use crate::cli::Command;
use crate::ctx::Ctx;

/// Runs the chosen subcommand.
///
/// # Errors
/// Whatever the subcommand meets; the kind in the chain picks the exit status.
pub fn run(ctx: &Ctx, command: Command) -> Result<()> {
    match command {
        Command::Bench(args) => bench::run(ctx, &args),
        Command::Build(args) => build::run(ctx, &args),
        Command::BuildFinal(args) => build_final::run(ctx, &args),
        Command::Fetch(args) => fetch::run(ctx, &args),
        Command::HashSources(args) => hash_sources::run(ctx, &args),
        Command::Load(args) => load::run(ctx, &args),
        Command::Plan(args) => plan::run(ctx, &args),
        Command::Push(args) => push::run(ctx, &args),
        Command::Run(args) => run::run(ctx, &args),
        Command::Inspect(args) => inspect::run(ctx, &args),
        Command::Report(args) => report::run(ctx, &args),
        Command::Sbom(args) => sbom::run(ctx, &args),
        Command::Serve(args) => serve::run(ctx, &args),
        Command::Stream(args) => stream::run(ctx, &args),
        Command::UpdateLocks(args) => update_locks::run(ctx, &args),
        Command::Status(args) => status::run(ctx, &args),
        Command::Verify(args) => verify::run(ctx, &args),
        Command::Carry(args) => carry::run(ctx, &args),
        Command::Diff(args) => diff::run(ctx, &args),
        Command::Doctor => doctor::run(ctx),
        Command::Clean(args) => clean::run(ctx, &args),
        Command::Completions(args) => completions::run(ctx, &args),
    }
}
