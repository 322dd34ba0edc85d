//! Failures as the user meets them: a kind that picks the exit status, a chain, and hints.
//!
//! Must not print, and knows no exit statuses: the command line renders.

use std::fmt;

/// Whose fault it is. The command line has an exit status for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something was built or checked, and it is not right.
    NotRight,
    /// A committed or user-written input is wrong.
    BadInput,
    /// The machine lacks something: network, disk, permission, a program.
    Environment,
    /// A bug in this program.
    Bug,
}

/// A failure with its kind and hints; travels inside [`anyhow::Error`].
#[derive(Debug)]
pub struct Failure {
    /// Picks the exit status.
    pub kind: Kind,
    /// What happened, lowercase, without a final period.
    pub message: String,
    /// What to do next; each one an action, commands in backticks.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Adds one hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// What a crate's own type of error says for the user.
///
/// The type says what happened, by `thiserror`; this says whose fault it is and what to do.
/// The errors of libraries do not know that, which is why [`kind_of`] calls them a bug.
pub trait Explain: std::error::Error {
    /// Picks the exit status.
    fn kind(&self) -> Kind;

    /// What to do next; each one an action, commands in backticks.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }

    /// As it travels to the user.
    fn failure(&self) -> Failure {
        Failure {
            kind: self.kind(),
            message: self.to_string(),
            hints: self.hints(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A bad input.
pub fn bad_input(message: impl Into<String>) -> Failure {
    Failure::new(Kind::BadInput, message)
}

/// An unfit environment.
pub fn environment(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Environment, message)
}

/// A result that is not right.
pub fn not_right(message: impl Into<String>) -> Failure {
    Failure::new(Kind::NotRight, message)
}

/// The kind of an error: its outermost [`Failure`] decides, whether it is the error itself or
/// context of one. Without any, an I/O error is the environment's, and the rest is our bug.
pub fn kind_of(error: &anyhow::Error) -> Kind {
    match error.downcast_ref::<Failure>() {
        Some(failure) => failure.kind,
        None if error.chain().any(|cause| cause.is::<std::io::Error>()) => Kind::Environment,
        None => Kind::Bug,
    }
}

/// The hints of an error: those of its outermost [`Failure`], then those of the innermost.
pub fn hints_of(error: &anyhow::Error) -> Vec<&str> {
    let outermost = error.downcast_ref::<Failure>();
    let innermost = error.root_cause().downcast_ref::<Failure>();
    let innermost = innermost.filter(|inner| !outermost.is_some_and(|it| std::ptr::eq(it, *inner)));
    let failures = outermost.into_iter().chain(innermost);
    failures
        .flat_map(|failure| failure.hints.iter().map(String::as_str))
        .collect()
}

/// The hints of several errors, each once.
pub fn hints_of_all<'a>(errors: impl IntoIterator<Item = &'a anyhow::Error>) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    for hint in errors.into_iter().flat_map(hints_of) {
        if !hints.iter().any(|known| known == hint) {
            hints.push(hint.to_owned());
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn ok_outermost_failure_decides() {
        let error = Err::<(), _>(bad_input("line 3 is wrong").hint("fix it"))
            .context("cannot read the list")
            .unwrap_err();
        assert_eq!(kind_of(&error), Kind::BadInput);
        assert_eq!(hints_of(&error), ["fix it"]);
    }

    #[test]
    fn ok_failure_as_context() {
        let error = Err::<(), _>(environment("no network").hint("inner"))
            .context(bad_input("the lock is wrong").hint("outer"))
            .unwrap_err();
        assert_eq!(kind_of(&error), Kind::BadInput);
        assert_eq!(hints_of(&error), ["outer", "inner"]);
        let error = Err::<(), _>(std::io::Error::other("disk"))
            .context(bad_input("the lock is wrong"))
            .context("cannot read the locks")
            .unwrap_err();
        assert_eq!(kind_of(&error), Kind::BadInput);
    }

    #[test]
    fn ok_io_errors_are_the_environment() {
        let error = anyhow::Error::from(std::io::Error::other("disk")).context("cannot write");
        assert_eq!(kind_of(&error), Kind::Environment);
        assert_eq!(kind_of(&anyhow::anyhow!("?")), Kind::Bug);
    }
}
