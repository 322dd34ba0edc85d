//! Tells ComfyUI's Python that its end was asked for: our end of a pipe closes.
//!
//! `/runner-scripts/python/sitecustomize.py` looks after ComfyUI's own cleanup, and ends the
//! interpreter there, which else takes its objects apart for seconds.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};

/// Where the image keeps the module.
pub const MODULES: &str = "/runner-scripts/python";

/// Our process and the pipe, as `PID:DESCRIPTOR`.
const VARIABLE: &str = "COMFY_START_PIPE";

/// Both ends of the pipe.
#[derive(Debug)]
pub struct Notice {
    ours: Option<OwnedFd>,
    _theirs: OwnedFd,
}

impl Notice {
    /// Gives a command its end. `modules` has the module that looks at it; modules of the user's
    /// `PYTHONPATH` come first.
    ///
    /// # Errors
    ///
    /// The kernel gives no pipe.
    pub fn give(command: &mut Command, modules: &Path) -> io::Result<Self> {
        let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfd(&theirs, FdFlags::empty())?;
        let mut path = std::env::var_os("PYTHONPATH").unwrap_or_default();
        if !path.is_empty() {
            path.push(":");
        }
        path.push(modules);
        let value = format!("{}:{}", std::process::id(), theirs.as_raw_fd());
        command.env("PYTHONPATH", path).env(VARIABLE, value);
        Ok(Self {
            ours: Some(ours),
            _theirs: theirs,
        })
    }

    /// Closes our end.
    pub fn send(&mut self) {
        self.ours = None;
    }
}
