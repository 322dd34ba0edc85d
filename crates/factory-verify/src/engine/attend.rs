//! A container whose log the user follows, until it ends or they ask it to.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use xshell::Shell;

use super::{Engine, EngineKind};
use factory_base::process;
use factory_base::run::Run;

/// How often the client's end and a wish to stop are looked for.
const TICK: Duration = Duration::from_millis(100);

impl Engine {
    /// Runs the client's command line, which starts a container of this name, to its end. A user
    /// who asks to stop has the engine stop the container: a client passes signals on only some
    /// time after its start, and before that it ends and leaves the container running.
    ///
    /// # Errors
    /// The client cannot be started.
    pub fn attend(&self, run: &dyn Run, words: &[String], name: &str) -> Result<ExitStatus> {
        let (program, arguments) = words.split_first().context("a command without words")?;
        let mut command = Command::new(program);
        // In the terminal's group it would get Ctrl-C too, and pass a second one on.
        command
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(0);
        let mut client = process::spawn(&mut command, program)?;
        let status = loop {
            if let Some(status) = client.try_wait()? {
                break status;
            }
            if run.is_interrupted() {
                // It may not be there yet, so this is said until the client ends.
                self.on_container(&["stop"], name)?;
            }
            std::thread::sleep(TICK);
        };
        if run.is_interrupted() {
            // Nothing of it is left, even if the client ended while it made the container.
            self.on_container(&["stop"], name)?;
            self.remove(name)?;
        }
        Ok(status)
    }

    /// Removes a container, running or not.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        // Podman would ask it to stop, and wait ten seconds.
        let at_once: &[&str] = match self.kind() {
            EngineKind::Docker => &[],
            EngineKind::Podman => &["--time", "0"],
        };
        self.on_container(&[&["rm", "--force", "--volumes"], at_once].concat(), name)
    }

    /// Runs the client on a container, which may be gone: that is no failure.
    pub(super) fn on_container(&self, words: &[&str], name: &str) -> Result<()> {
        let shell = Shell::new()?;
        process::run(self.cmd(&shell).args(words).arg(name), |_| {})?;
        Ok(())
    }
}
