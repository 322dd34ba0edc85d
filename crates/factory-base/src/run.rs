//! What a library crate may know of a run: small traits, each for one wish.
//!
//! A function asks for the narrowest that serves it, as `&dyn Report` or `&dyn Run`. A crate
//! that needs more in many places names its own sum, as in `trait Context: Run + Network {}`,
//! and upcasts. Must not print: who implements [`Report`] does.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error;

/// Tells the user what happens. Nothing here is a result: that is returned.
pub trait Report: Debug + Send + Sync {
    /// A line that `--quiet` silences.
    fn status(&self, line: &str);

    /// A step with its verb, as in `Fetching numpy-2.4.0.whl`.
    fn step(&self, verb: &str, rest: &str);

    /// A detail that only `--verbose` shows.
    fn detail(&self, line: &str);

    /// A warning; never silenced.
    fn warn(&self, line: &str);

    /// Whether bars are drawn; otherwise plain lines say what goes on.
    fn is_live(&self) -> bool;

    /// The text, made less prominent where colours are shown.
    fn faint(&self, text: &str) -> String;

    /// A bar that is on the screen until it is dropped; it draws nothing where none are drawn.
    fn bar(&self, look: Look, length: Option<u64>, message: &str) -> Box<dyn Bar>;
}

/// What a bar looks like, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// One file under way, above [`Look::Files`]; its length is in bytes.
    File,
    /// All files of one fetch; its length is in bytes.
    Files,
    /// One line, cut at the terminal's width.
    Line,
    /// As [`Look::Line`], above all others.
    Head,
    /// One stream of bytes.
    Stream,
}

/// A bar on the screen; see [`Report::bar`].
pub trait Bar: Debug + Send + Sync {
    /// More of its length is done.
    fn advance(&self, n: u64);

    /// So much of it has to be done again.
    fn retreat(&self, n: u64);

    /// Replaces the text beside it.
    fn message(&self, text: &str);
}

/// Whether the user asked to stop.
pub trait Cancel: Debug + Send + Sync {
    /// Whether the user asked to stop.
    fn is_interrupted(&self) -> bool;

    /// Fails once the user asked to stop; called between units of work.
    ///
    /// # Errors
    /// The run was interrupted.
    fn check_interrupted(&self) -> Result<()> {
        if self.is_interrupted() {
            return Err(error::environment("interrupted; what is done stays done")
                .hint("run the same command again to continue")
                .into());
        }
        Ok(())
    }
}

/// What nearly all work needs: to say what it does, and to be stopped.
pub trait Run: Report + Cancel {}

impl<T: Report + Cancel + ?Sized> Run for T {}

/// Whether the network may be used.
pub trait Network: Debug + Send + Sync {
    /// No use of the network at all.
    fn is_offline(&self) -> bool;
}

/// Where things lie.
pub trait Directories: Debug + Send + Sync {
    /// The checkout.
    fn root(&self) -> &Path;

    /// Files that can be made again: downloads, the bootstrapped Nix and uv.
    fn cache(&self) -> &Path;

    /// What must stay: the chroot store of a user without `/nix`, garbage-collector roots.
    fn data(&self) -> &Path;

    /// `package-lists/`, what people write.
    fn lists(&self) -> PathBuf {
        self.root().join("package-lists")
    }

    /// `package-lists/locks/`, what `update-locks` writes.
    fn locks(&self) -> PathBuf {
        self.lists().join("locks")
    }
}
