//! The only way to start another program: streams kept apart, failures that say what ran.

use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use xshell::Cmd;

use crate::error::{self, Kind};
use crate::run::Run;

/// How many lines of a failed program's stderr its error repeats.
const STDERR_TAIL: usize = 20;

/// How often a running program's view is redrawn, and a wish to stop noticed.
const TICK: Duration = Duration::from_millis(100);

/// How long a program may take to clean up after it was asked to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a program and returns its stdout; its stderr appears only in the error.
///
/// # Errors
/// The program is missing, or ends with a status other than 0.
pub fn capture(cmd: Cmd<'_>) -> Result<String> {
    let mut tail = Vec::new();
    let (status, stdout) = run(cmd, |line| tail.push(line.to_owned()))?;
    finish(&status.1, status.0, &tail)?;
    Ok(stdout)
}

/// Runs a program, hands each line of its stderr to `on_line`, and returns its
/// status with the command as text, and its stdout. A non-zero status is not an
/// error here: see [`finish`].
///
/// # Errors
/// The program is missing or its pipes cannot be read.
pub fn run(cmd: Cmd<'_>, mut on_line: impl FnMut(&str)) -> Result<((ExitStatus, String), String)> {
    let running = Running::start(cmd, Stdio::null())?;
    for line in &running.lines {
        on_line(&line);
    }
    running.end()
}

/// Runs a program whose stdin is written by `feed`; its stdout and stderr lines go to `on_line`.
///
/// # Errors
/// The program is missing, ends early, or ends with a status other than 0.
pub fn feed(
    cmd: Cmd<'_>,
    feed: impl FnOnce(&mut dyn Write) -> Result<()>,
    mut on_line: impl FnMut(&str),
) -> Result<()> {
    let mut running = Running::start(cmd, Stdio::piped())?;
    let mut stdin = running.child.stdin.take().context("child without stdin")?;
    let fed = feed(&mut stdin);
    drop(stdin);
    let stderr: Vec<String> = running.lines.iter().collect();
    let ((status, text), stdout) = running.end()?;
    let lines: Vec<String> = stdout.lines().map(str::to_owned).chain(stderr).collect();
    for line in &lines {
        on_line(line);
    }
    // A consumer that fails closes its stdin: its own words say more than our broken pipe.
    finish(&text, status, &lines)?;
    fed
}

/// Runs a program whose stdout goes to `out` as it comes. When `out` takes no more, the
/// program is ended.
///
/// # Errors
/// The program is missing, ends with a status other than 0, or `out` fails.
pub fn produce(cmd: Cmd<'_>, out: &mut dyn Write) -> Result<()> {
    let text = cmd.to_string();
    let mut command: Command = cmd.into();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = spawn(&mut command, &text)?;
    let mut stdout = child.stdout.take().context("child without stdout")?;
    let stderr = child.stderr.take().context("child without stderr")?;
    let stderr = std::thread::spawn(move || {
        let lines = BufReader::new(stderr).lines();
        lines.map_while(Result::ok).collect::<Vec<String>>()
    });
    let copied = io::copy(&mut stdout, out);
    if copied.is_err() {
        child.kill()?;
    }
    drop(stdout);
    let status = child.wait()?;
    let lines = stderr
        .join()
        .map_err(|_| anyhow::anyhow!("the reader of `{text}` panicked"))?;
    copied?;
    finish(&text, status, &lines)
}

/// Runs a program that may take hours: `on_line` gets each line of stderr, and `None`
/// several times a second for whatever is drawn. A user who asks to stop ends the program
/// with SIGINT, and its last words are still read.
///
/// # Errors
/// The program is missing or its pipes cannot be read.
pub fn watch(
    run: &dyn Run,
    cmd: Cmd<'_>,
    mut on_line: impl FnMut(Option<&str>),
) -> Result<((ExitStatus, String), String)> {
    run.detail(&format!("$ {cmd}"));
    let mut running = Running::start(cmd, Stdio::null())?;
    let mut asked_to_stop = None;
    let mut drawn = Instant::now();
    loop {
        match running.lines.recv_timeout(TICK) {
            Ok(line) => on_line(Some(&line)),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        // Also while lines come without a pause.
        if drawn.elapsed() >= TICK {
            on_line(None);
            drawn = Instant::now();
        }
        if run.is_interrupted() {
            let since = asked_to_stop.get_or_insert_with(|| {
                interrupt(&running.child);
                Instant::now()
            });
            if since.elapsed() > PATIENCE {
                running.child.kill()?;
                break;
            }
        }
    }
    running.end()
}

/// A program whose stdout and stderr are being read.
struct Running {
    text: String,
    child: Child,
    stdout: JoinHandle<io::Result<Vec<u8>>>,
    stderr: JoinHandle<io::Result<()>>,
    /// The lines of stderr as they come.
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(cmd: Cmd<'_>, stdin: Stdio) -> Result<Self> {
        let text = cmd.to_string();
        let mut command: Command = cmd.into();
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = spawn(&mut command, &text)?;
        let mut stdout = child.stdout.take().context("child without stdout")?;
        let stderr = child.stderr.take().context("child without stderr")?;
        let stdout = std::thread::spawn(move || {
            let mut buffer = Vec::new();
            stdout.read_to_end(&mut buffer).map(|_| buffer)
        });
        let (sender, lines) = mpsc::channel();
        let stderr = std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line)? > 0 {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(text).is_err() {
                    break;
                }
                line.clear();
            }
            Ok(())
        });
        Ok(Self {
            text,
            child,
            stdout,
            stderr,
            lines,
        })
    }

    /// Waits for the end; returns the status with the command as text, and the stdout.
    fn end(mut self) -> Result<((ExitStatus, String), String)> {
        let status = self.child.wait()?;
        let panicked = || anyhow::anyhow!("the reader of `{}` panicked", self.text);
        self.stderr.join().map_err(|_| panicked())??;
        let bytes = self.stdout.join().map_err(|_| panicked())??;
        let stdout = String::from_utf8_lossy(&bytes).into_owned();
        Ok(((status, self.text), stdout))
    }
}

fn pid_of(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
}

/// Asks a program to stop, as Ctrl-C does.
pub fn interrupt(child: &Child) {
    if let Some(pid) = pid_of(child) {
        // It may just have ended by itself, which is what we want.
        let _sent = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    }
}

/// Ends a program that leads a process group, and all that it started.
pub fn kill_group(child: &Child) {
    if let Some(pid) = pid_of(child) {
        // It may just have ended by itself, which is what we want.
        let _sent = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

/// Turns a non-zero status into an error with the last lines of stderr.
///
/// # Errors
/// The status is not 0.
pub fn finish(command: &str, status: ExitStatus, stderr: &[String]) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let from = stderr.len().saturating_sub(STDERR_TAIL);
    let mut message = format!("`{command}` ended with {status}");
    for line in &stderr[from..] {
        message.push_str("\n    ");
        message.push_str(line);
    }
    Err(error::Failure::new(Kind::Environment, message).into())
}

/// Finds a program on PATH.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| {
            use std::os::unix::fs::PermissionsExt as _;
            file.metadata().is_ok_and(|metadata| {
                metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
            })
        })
}

/// Starts a program; `text` is what an error calls the command.
///
/// # Errors
/// The program is missing, or cannot be started.
pub fn spawn(command: &mut Command, text: &str) -> Result<Child> {
    command.spawn().map_err(|source| {
        let program = command.get_program().to_string_lossy().into_owned();
        let failure = if source.kind() == std::io::ErrorKind::NotFound {
            error::environment(format!("cannot start `{program}`: it is not on PATH"))
                .hint("run `cargo xtask doctor` to see what this machine lacks")
        } else {
            error::environment(format!("cannot start `{text}`: {source}"))
        };
        failure.into()
    })
}
