//! How a run ends: the one place where errors become words, hints and exit statuses.
//!
//! Crates say with a type what happened and whose fault it is ([`Failure`]); an I/O error is
//! the environment's. What is left is nobody's but ours.

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use crate::ui::Ui;
use factory_base::error::{self, Failure, Kind};

/// An exit status that needs no message: of a program that ran in the foreground and has said
/// why itself, or of a comparison whose result is on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed(pub u8);

impl fmt::Display for Passed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "status {}", self.0)
    }
}

impl std::error::Error for Passed {}

/// Says what went wrong, if anything did, and picks the status.
pub fn end(ui: &Ui, outcome: Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    if let Some(Passed(status)) = error.downcast_ref() {
        return ExitCode::from(*status);
    }
    // `xtask … | head` is not a failure worth a message.
    let is_closed = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if !error.chain().any(is_closed) {
        ui.error(&error);
    }
    ExitCode::from(status(error::kind_of(&error)))
}

/// The documented exit status of a kind of failure.
pub fn status(kind: Kind) -> u8 {
    match kind {
        Kind::NotRight => 1,
        Kind::BadInput => 2,
        Kind::Environment => 3,
        // `EX_SOFTWARE` of sysexits.h.
        Kind::Bug => 70,
    }
}

/// A failure of the image crate in the terms of this one.
pub(crate) fn from_image(error: comfy_image::Error) -> anyhow::Error {
    if error.is_closed_pipe() {
        return std::io::Error::from(std::io::ErrorKind::BrokenPipe).into();
    }
    let kind = match error.exit_code() {
        comfy_image::error::EXIT_NOT_RIGHT => Kind::NotRight,
        comfy_image::error::EXIT_BAD_INPUT => Kind::BadInput,
        comfy_image::error::EXIT_ENVIRONMENT => Kind::Environment,
        _ => Kind::Bug,
    };
    let mut failure = Failure::new(kind, error.to_string());
    if let Some(source) = std::error::Error::source(&error) {
        failure.message.push_str(&format!(": {source}"));
    }
    if let Some(hint) = error.hint() {
        failure = failure.hint(hint);
    }
    failure.into()
}
