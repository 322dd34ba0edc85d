//! What resolving needs of the run it is part of.

use factory_base::run::Directories;

/// What a fetch needs, and where lists, locks and caches are.
pub trait Context: factory_fetch::Context + Directories {}

impl<T: factory_fetch::Context + Directories + ?Sized> Context for T {}

/// A run for tests: it says nothing, goes on for ever and has no network.
#[cfg(test)]
pub(crate) mod quiet {
    use std::path::{Path, PathBuf};

    use factory_base::run::{Bar, Cancel, Directories, Look, Network, Report};

    /// Lists, locks and caches below one directory.
    #[derive(Debug)]
    pub(crate) struct Quiet(pub PathBuf);

    #[derive(Debug)]
    struct NoBar;

    impl Bar for NoBar {
        fn advance(&self, _n: u64) {}
        fn retreat(&self, _n: u64) {}
        fn message(&self, _text: &str) {}
    }

    impl Report for Quiet {
        fn status(&self, _line: &str) {}
        fn step(&self, _verb: &str, _rest: &str) {}
        fn detail(&self, _line: &str) {}
        fn warn(&self, _line: &str) {}
        fn is_live(&self) -> bool {
            false
        }
        fn faint(&self, text: &str) -> String {
            text.to_owned()
        }
        fn bar(&self, _look: Look, _length: Option<u64>, _message: &str) -> Box<dyn Bar> {
            Box::new(NoBar)
        }
    }

    impl Cancel for Quiet {
        fn is_interrupted(&self) -> bool {
            false
        }
    }

    impl Network for Quiet {
        fn is_offline(&self) -> bool {
            true
        }
    }

    impl Directories for Quiet {
        fn root(&self) -> &Path {
            &self.0
        }
        fn cache(&self) -> &Path {
            &self.0
        }
        fn data(&self) -> &Path {
            &self.0
        }
    }
}
