//! A context that also stops when something else has failed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Context;
use factory_base::run::{Bar, Cancel, Directories, Look, Network, Report};

/// As the context that it is made of, and interrupted once the flag is set.
#[derive(Debug)]
pub(super) struct Until<'a> {
    pub(super) ctx: &'a dyn Context,
    pub(super) has_failed: &'a AtomicBool,
}

impl Cancel for Until<'_> {
    fn is_interrupted(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst) || self.ctx.is_interrupted()
    }
}

impl Report for Until<'_> {
    fn status(&self, line: &str) {
        self.ctx.status(line);
    }

    fn step(&self, verb: &str, rest: &str) {
        self.ctx.step(verb, rest);
    }

    fn detail(&self, line: &str) {
        self.ctx.detail(line);
    }

    fn warn(&self, line: &str) {
        self.ctx.warn(line);
    }

    fn is_live(&self) -> bool {
        self.ctx.is_live()
    }

    fn faint(&self, text: &str) -> String {
        self.ctx.faint(text)
    }

    fn bar(&self, look: Look, length: Option<u64>, message: &str) -> Box<dyn Bar> {
        self.ctx.bar(look, length, message)
    }
}

impl Network for Until<'_> {
    fn is_offline(&self) -> bool {
        self.ctx.is_offline()
    }
}

impl Directories for Until<'_> {
    fn root(&self) -> &Path {
        self.ctx.root()
    }

    fn cache(&self) -> &Path {
        self.ctx.cache()
    }

    fn data(&self) -> &Path {
        self.ctx.data()
    }
}
