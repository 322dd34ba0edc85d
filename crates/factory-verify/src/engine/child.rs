//! One child to its end or its time limit, its streams kept apart and bounded.

use std::io::{Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::invocation::signal_of_status;
use super::{Ended, Invocation};
use factory_base::process;
use factory_base::run::Cancel;

/// How often a running program is looked at.
const TICK: Duration = Duration::from_millis(20);

/// How much of each stream is kept: a check says little, a runaway must not fill the memory.
const KEPT_BYTES: u64 = 16 << 20;

/// Runs a command. `stop` ends what killing the child does not; `alone` says that what the
/// child leaves behind must end with it, or its open streams would be waited for.
pub(super) fn run(
    cancel: &dyn Cancel,
    mut command: Command,
    invocation: &Invocation,
    alone: bool,
    stop: impl Fn(),
) -> Result<Ended> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    command
        // A group of its own, so that its children end with it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = process::spawn(&mut command, &program)?;
    let mut stdin = child.stdin.take().context("child without stdin")?;
    let input = invocation.stdin.bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let stdout = collect(child.stdout.take().context("child without stdout")?);
    let stderr = collect(child.stderr.take().context("child without stderr")?);
    let (status, timed_out) = wait(cancel, &mut child, invocation.timeout, stop)?;
    if alone {
        process::kill_group(&child);
    }
    let panicked = |_| anyhow::anyhow!("a stream of `{program}` panicked");
    // A program that does not read its stdin to the end has its own reasons.
    let _fed: std::io::Result<()> = writer.join().map_err(panicked)?;
    let text = |thread: JoinHandle<std::io::Result<Vec<u8>>>| -> Result<String> {
        Ok(String::from_utf8_lossy(&thread.join().map_err(panicked)??).into_owned())
    };
    Ok(Ended {
        status: status.code(),
        signal: status
            .signal()
            .or_else(|| status.code().and_then(signal_of_status)),
        timed_out,
        stdout: text(stdout)?,
        stderr: text(stderr)?,
        took: start.elapsed(),
    })
}

fn wait(
    cancel: &dyn Cancel,
    child: &mut Child,
    timeout: Option<Duration>,
    stop: impl Fn(),
) -> Result<(ExitStatus, bool)> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, false));
        }
        let late = timeout.is_some_and(|timeout| start.elapsed() > timeout);
        if late || cancel.is_interrupted() {
            stop();
            process::kill_group(child);
            let status = child.wait()?;
            cancel.check_interrupted()?;
            return Ok((status, true));
        }
        std::thread::sleep(TICK);
    }
}

fn collect(stream: impl Read + Send + 'static) -> JoinHandle<std::io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut buffer = Vec::new();
        let mut limited = stream.take(KEPT_BYTES);
        limited.read_to_end(&mut buffer)?;
        // The rest is read and dropped, so that the program is not stopped by a full pipe.
        std::io::copy(&mut limited.into_inner(), &mut std::io::sink())?;
        Ok(buffer)
    })
}
