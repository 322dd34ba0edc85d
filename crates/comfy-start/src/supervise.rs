//! PID 1: forwards signals, reaps what is left behind, and returns ComfyUI's exit status.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, kill_process, kill_process_group, set_child_subreaper, wait,
};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::error::Error;
use crate::notice::Notice;
use crate::say::{detail, say};

/// How long a process may take to end on SIGTERM, after it did not on SIGINT.
const TERMINATE: Duration = Duration::from_millis(300);

/// How long ComfyUI may take to end that does not answer yet: it has nothing to save. Python
/// looks at a signal only between two of its own instructions, and PyTorch's libraries take
/// seconds to load; and what imports a module may pass over every exception.
const STARTING: Duration = Duration::from_millis(600);

/// How long it may take to answer that it listens.
const CONNECT: Duration = Duration::from_millis(100);

/// Ends this program on SIGTERM and SIGINT as long as it only prepares: any moment will do,
/// and PID 1 has no default action.
#[derive(Debug)]
pub struct EndsAtOnce {
    is_on: Arc<AtomicBool>,
}

impl EndsAtOnce {
    /// Begins.
    ///
    /// # Errors
    ///
    /// No handler can be registered.
    pub fn begin() -> Result<Self, Error> {
        let is_on = Arc::new(AtomicBool::new(true));
        for signal in [SIGTERM, SIGINT, SIGQUIT, SIGHUP] {
            signal_hook::flag::register_conditional_shutdown(
                signal,
                128 + signal,
                Arc::clone(&is_on),
            )
            .map_err(signal_error)?;
        }
        Ok(Self { is_on })
    }

    /// Ends it: signals are the supervisor's now.
    pub fn end(self) {
        self.is_on.store(false, Ordering::SeqCst);
    }
}

fn signal_error(source: io::Error) -> Error {
    Error::Start {
        program: "the signal handlers".to_owned(),
        source,
    }
}

/// Runs one process after another, and answers for them.
#[derive(Debug)]
pub struct Supervisor {
    signals: Receiver<i32>,
    stop: Duration,
}

/// What is known of ComfyUI when it is asked to end.
#[derive(Debug)]
pub struct Ending {
    /// What it learns before the signal.
    pub notice: Notice,
    /// Where it listens once it has started.
    pub address: SocketAddr,
}

/// What goes on with the process.
enum State {
    Running,
    /// It was asked with SIGINT, and has time until then: so much in all.
    Asked(Instant, Duration),
    /// It got SIGTERM.
    Terminated(Instant),
    Killed,
}

impl Supervisor {
    /// Takes over signals and orphans. `stop` is how long a process may take to end.
    ///
    /// # Errors
    ///
    /// No handler can be registered.
    pub fn start(stop: Duration) -> Result<Self, Error> {
        // Where another program is PID 1, orphans come to us all the same.
        if let Err(error) = set_child_subreaper(Some(Pid::INIT)) {
            detail(&format!("orphans are not ours: {error}"));
        }
        let handled = [
            SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
        ];
        let mut signals = Signals::new(handled).map_err(signal_error)?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if sender.send(signal).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            signals: receiver,
            stop,
        })
    }

    /// Runs a process to its end. Returns its exit status, 128 and the signal if one killed
    /// it, and whether somebody asked it to end. `ending` is ComfyUI's.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn run(
        &self,
        command: &mut Command,
        name: &str,
        mut ending: Option<Ending>,
    ) -> Result<(u8, bool), Error> {
        // A group of its own: a terminal's Ctrl-C comes to us, and only once to it.
        let child = command
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start {
                program: command.get_program().to_string_lossy().into_owned(),
                source,
            })?;
        let child = Pid::from_child(&child);
        let mut state = State::Running;
        loop {
            if let Some(status) = reap(child) {
                return Ok((status, !matches!(state, State::Running)));
            }
            match self.next_signal(&state) {
                Ok(SIGCHLD) => {}
                Ok(signal @ (SIGTERM | SIGINT)) => {
                    if matches!(state, State::Running) {
                        say(&format!("{}: asking {name} to end", signal_name(signal)));
                        let patience = self.patience(ending.as_ref());
                        state = State::Asked(Instant::now() + patience, patience);
                        if let Some(ending) = &mut ending {
                            ending.notice.send();
                        }
                    }
                    // ComfyUI has no handler for SIGTERM, and ends cleanly on SIGINT.
                    send(child, Signal::INT);
                }
                Ok(signal) => {
                    if let Some(signal) = Signal::from_named_raw(signal) {
                        send(child, signal);
                    }
                }
                Err(_) => state = self.escalate(child, state, name),
            }
        }
    }

    fn patience(&self, ending: Option<&Ending>) -> Duration {
        let is_starting = ending
            .is_some_and(|ending| TcpStream::connect_timeout(&ending.address, CONNECT).is_err());
        if is_starting {
            self.stop.min(STARTING)
        } else {
            self.stop
        }
    }

    fn next_signal(&self, state: &State) -> Result<i32, RecvTimeoutError> {
        let deadline = match state {
            State::Asked(deadline, _) | State::Terminated(deadline) => *deadline,
            // Also looks for a child whose signal was merged with another's.
            State::Running | State::Killed => Instant::now() + Duration::from_secs(1),
        };
        let timeout = deadline.saturating_duration_since(Instant::now());
        self.signals.recv_timeout(timeout)
    }

    fn escalate(&self, child: Pid, state: State, name: &str) -> State {
        match state {
            State::Asked(deadline, patience) if deadline <= Instant::now() => {
                let why = if patience < self.stop {
                    "it did not answer yet"
                } else {
                    "STOP_SECONDS gives it longer"
                };
                say(&format!(
                    "{name} has not ended after {:.1} s: ending it by force ({why})",
                    patience.as_secs_f64()
                ));
                send_group(child, Signal::TERM);
                State::Terminated(Instant::now() + TERMINATE)
            }
            State::Terminated(deadline) if deadline <= Instant::now() => {
                send_group(child, Signal::KILL);
                State::Killed
            }
            other => other,
        }
    }
}

/// Reaps every child that has ended; the status of ours, if it is among them.
fn reap(child: Pid) -> Option<u8> {
    let mut found = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == child {
            let code = status.exit_status();
            let signal = status.terminating_signal().map(|signal| 128 + signal);
            let status = code.or(signal).unwrap_or(1);
            found = Some(u8::try_from(status & 0xff).unwrap_or(1));
        } else {
            detail(&format!("reaped process {}", pid.as_raw_nonzero()));
        }
    }
    found
}

fn send(process: Pid, signal: Signal) {
    if let Err(error) = kill_process(process, signal) {
        detail(&format!("cannot send {signal:?}: {error}"));
    }
}

fn send_group(process: Pid, signal: Signal) {
    if let Err(error) = kill_process_group(process, signal) {
        detail(&format!("cannot send {signal:?}: {error}"));
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        SIGTERM => "SIGTERM",
        _ => "SIGINT",
    }
}
