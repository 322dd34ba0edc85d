//! `load`: the whole image into an empty podman.

use anyhow::Result;
use xshell::Shell;

use crate::bench::meter::Meter;
use crate::bench::podman::Storage;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;

const WHOLE: &str = "whole";
const AGAIN: &str = "the same again";

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    bench.build()?;
    let shell = Shell::new()?;
    let archive = bench.scratch.path().join("image.tar");
    let stream = bench.xtask_variant(&shell, "stream")?;
    // Gigabytes do not go through this process.
    let to_file = shell
        .cmd("sh")
        .args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "sh"]);
    let words = words(stream)?;
    bench.set_up(
        "the archive, which podman reads",
        to_file.arg(&archive).args(words),
    )?;
    let n_bytes = fs_err::metadata(&archive)?.len();
    let meter = Meter::new(bench.ctx)?.with_disk(bench.scratch.path());
    for _ in 0..bench.wishes.n_runs {
        let storage = Storage::new(bench, "load")?;
        let load = || -> Result<_> {
            let cmd = bench
                .xtask_variant(&shell, "load")?
                .args(["--engine", "podman"]);
            Ok(storage.on(cmd))
        };
        Meter::settle();
        let mut whole = meter.run(load()?)?.run;
        whole.moved_bytes = Some(n_bytes);
        recorder.add(What::ours(WHOLE, "cargo xtask"), whole);
        recorder.add(What::ours(AGAIN, "cargo xtask"), meter.run(load()?)?.run);
        storage.remove(bench)?;
        let storage = Storage::new(bench, "load")?;
        let load = || {
            storage.on(shell
                .cmd("podman")
                .args(["load", "--quiet", "--input"])
                .arg(&archive))
        };
        Meter::settle();
        let mut whole = meter.run(load())?.run;
        whole.moved_bytes = Some(n_bytes);
        recorder.add(What::peer(WHOLE, "podman load"), whole);
        recorder.add(What::peer(AGAIN, "podman load"), meter.run(load())?.run);
        storage.remove(bench)?;
    }
    fs_err::remove_file(archive)?;
    recorder.note("Writing the archive is not counted, nor is its place on the disk.");
    Ok(())
}

/// The words of a command, for a shell to start.
fn words(cmd: xshell::Cmd<'_>) -> Result<Vec<std::ffi::OsString>> {
    let command: std::process::Command = cmd.into();
    let program = command.get_program().to_owned();
    let arguments = command.get_args().map(std::ffi::OsStr::to_owned);
    Ok(std::iter::once(program).chain(arguments).collect())
}
