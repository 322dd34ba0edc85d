//! How far a long stream of bytes is.

use factory_base::run::{Bar, Look, Report};
use factory_base::text::bytes;

/// A stream of bytes under way: a bar on a terminal, one line elsewhere.
#[derive(Debug)]
pub(crate) struct Transfer {
    bar: Option<Box<dyn Bar>>,
}

impl Transfer {
    /// Says what is transferred, and how much it will be.
    pub(crate) fn start(report: &dyn Report, verb: &str, what: &str, n_bytes: u64) -> Self {
        let bar = if report.is_live() {
            Some(report.bar(Look::Stream, Some(n_bytes), &message(verb, what)))
        } else {
            report.step(verb, &format!("{what}, {}", bytes(n_bytes)));
            None
        };
        Self { bar }
    }

    /// More bytes went through.
    pub(crate) fn advance(&self, n_bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.advance(n_bytes);
        }
    }

    /// Says more of what is transferred.
    pub(crate) fn rename(&self, verb: &str, what: &str) {
        if let Some(bar) = &self.bar {
            bar.message(&message(verb, what));
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(self) {
        drop(self);
    }
}

fn message(verb: &str, what: &str) -> String {
    format!("{verb:>12} {what}")
}
