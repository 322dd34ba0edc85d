//! `relock`: all lists resolved again, against the `uv pip compile` calls in it alone.

use std::path::{Path, PathBuf};

use anyhow::Result;
use factory_base::error;
use factory_base::fs::write_atomic;
use factory_base::process;
use xshell::Shell;

use crate::bench::meter::Meter;
use crate::bench::recorder::{Recorder, What};
use crate::bench::shared::Bench;

const WHAT: &str = "until everything is resolved";
/// Stands before uv and keeps what each compilation is asked, and all that it reads.
const RECORDER: &str = r#"#!/bin/sh
if [ "$1 $2" = "pip compile" ]; then
    call=$(mktemp -d "$BENCH_KEEP/XXXXXX")
    cp -a . "$call/files"
    printf '%s' "$SSL_CERT_FILE" >"$call/certificates"
    for argument; do printf '%s\0' "$argument"; done >"$call/arguments"
fi
exec "$BENCH_UV" "$@"
"#;
/// Asks the same again, each in a copy of what it read.
const REPLAY: &str = r#"
set -eu
for call in "$BENCH_KEEP"/*/; do
    cd "$call/files"
    if [ -s "$call/certificates" ]; then SSL_CERT_FILE=$(cat "$call/certificates"); export SSL_CERT_FILE; fi
    xargs -0 -x "$BENCH_UV" <"$call/arguments" >/dev/null
done
"#;

pub(super) fn run(bench: &Bench<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let shell = Shell::new()?;
    let relock = || -> Result<_> {
        // Without it, lists that are as they were when they were locked are not resolved.
        let cmd = bench.xtask(&shell, "update-locks")?;
        // Nothing is written, so a mirror that lags behind does no harm.
        let cmd = cmd.args(["--dry-run", "--upgrade", "--allow-expired", "forky"]);
        Ok(cmd.args(["--variant", &bench.wishes.variant.name]))
    };
    bench.set_up("indexes, uv and the interpreter are at hand", relock()?)?;
    let uv = uv(bench)?;
    let (programs, kept) = (
        bench.scratch.empty("programs")?,
        bench.scratch.empty("kept")?,
    );
    let stand_in = programs.join("uv");
    write_atomic(&stand_in, RECORDER.as_bytes())?;
    make_executable(&stand_in)?;
    let mut path = programs.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let watched = relock()?
        .env("PATH", path)
        .env("BENCH_KEEP", &kept)
        .env("BENCH_UV", &uv);
    bench.set_up("what uv is asked", watched)?;
    let n_calls = fs_err::read_dir(&kept)?.count();
    if n_calls == 0 {
        return Err(
            error::environment("`update-locks` started another uv than the one on PATH").into(),
        );
    }
    let meter = Meter::new(bench.ctx)?;
    for number in 0..bench.wishes.n_runs {
        recorder.add(What::ours(WHAT, "cargo xtask"), meter.run(relock()?)?.run);
        let again = copy(bench, &shell, &kept, number)?;
        let replay = shell
            .cmd("sh")
            .args(["-c", REPLAY])
            .env("BENCH_KEEP", &again);
        let peer = meter.run(replay.env("BENCH_UV", &uv))?.run;
        recorder.add(What::peer(WHAT, "uv pip compile"), peer);
    }
    let version = process::capture(shell.cmd(&uv).arg("--version"))?;
    let version = version.split(" (").next().unwrap_or_default().trim();
    recorder.note(format!(
        "{version} is called {n_calls} times. Here Debian's lists are resolved too, and what a wheel's metadata says is checked."
    ));
    Ok(())
}

/// The uv that `update-locks` has: the user's, or the one that it installed.
fn uv(bench: &Bench<'_>) -> Result<PathBuf> {
    let mut installed = Vec::new();
    for entry in fs_err::read_dir(&bench.ctx.cache)? {
        let program = entry?.path().join("bin/uv");
        if program.is_file() {
            installed.push(program);
        }
    }
    // The newest was used last.
    installed.sort_by_key(|program| program.metadata().and_then(|data| data.modified()).ok());
    let found = installed.pop().or_else(|| process::find("uv"));
    found.ok_or_else(|| error::environment("there is no uv").into())
}

fn copy(bench: &Bench<'_>, shell: &Shell, kept: &Path, number: u32) -> Result<PathBuf> {
    let again = bench.scratch.empty(&format!("again-{number}"))?;
    process::capture(shell.cmd("cp").arg("-a").arg(kept.join(".")).arg(&again))?;
    Ok(again)
}

fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs_err::set_permissions(
        file,
        std::fs::Permissions::from_mode(0o755),
    )?)
}
