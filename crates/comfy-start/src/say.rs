//! Status lines on stderr: one for each thing that is done.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

static VERBOSE: AtomicBool = AtomicBool::new(false);

/// Turns [`detail`] on.
pub fn set_verbose(is_verbose: bool) {
    VERBOSE.store(is_verbose, Ordering::Relaxed);
}

/// Writes a status line.
pub fn say(text: &str) {
    write(&format!("[comfy-start] {text}\n"));
}

/// Writes a status line that only `--verbose` shows.
pub fn detail(text: &str) {
    if VERBOSE.load(Ordering::Relaxed) {
        say(text);
    }
}

/// Writes a status line about something that is not as it should be, and does not stop us.
pub fn warn(text: &str) {
    say(&format!("warning: {text}"));
}

/// Writes text as it is; who closed stderr does not want any.
pub fn write(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap_or(());
}
