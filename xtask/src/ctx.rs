//! What every command gets first: streams, paths and global flags.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};

use crate::ui::Ui;
use factory_base::error;
use factory_base::run::{Bar, Cancel, Directories, Look, Network, Report};

/// Name of the directories under the user's cache and data homes.
const DIRECTORY: &str = "comfyui-image-factory";

/// The context of one run.
#[derive(Debug)]
pub struct Ctx {
    /// The streams.
    pub ui: Ui,
    /// The checkout this program was built from, or the working directory's.
    pub root: PathBuf,
    /// Files that can be made again: downloads, the provided Nix and uv.
    pub cache: PathBuf,
    /// The chroot store of a user without `/nix`.
    pub data: PathBuf,
    /// No network use at all.
    pub offline: bool,
    /// Print one JSON document on stdout instead of text.
    pub json: bool,
    interrupted: Arc<AtomicBool>,
}

impl Ctx {
    /// Finds the checkout and the user's directories (XDG Base Directory Specification).
    ///
    /// # Errors
    /// Not inside a checkout, or no home directory.
    pub fn new(ui: Ui, offline: bool, json: bool) -> Result<Self> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let directory = |variable: &str, below_home: &str| -> Result<PathBuf> {
            if let Some(path) = std::env::var_os(variable)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
            {
                return Ok(path.join(DIRECTORY));
            }
            let home = home
                .clone()
                .ok_or_else(|| error::environment("`HOME` is not set"))?;
            Ok(home.join(below_home).join(DIRECTORY))
        };
        Ok(Self {
            ui,
            root: find_root()?,
            cache: directory("XDG_CACHE_HOME", ".cache")?,
            data: directory("XDG_DATA_HOME", ".local/share")?,
            offline,
            json,
            interrupted: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Installs the handler that turns SIGINT and SIGTERM into [`Cancel::check_interrupted`].
    ///
    /// # Errors
    /// The handler cannot be installed.
    pub fn watch_signals(&self) -> Result<()> {
        let flag = Arc::clone(&self.interrupted);
        ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))
            .context("cannot install the signal handler")
    }

    /// As [`Cancel::is_interrupted`].
    pub fn is_interrupted(&self) -> bool {
        Cancel::is_interrupted(self)
    }

    /// As [`Cancel::check_interrupted`].
    ///
    /// # Errors
    /// The run was interrupted.
    pub fn check_interrupted(&self) -> Result<()> {
        Cancel::check_interrupted(self)
    }

    /// As [`Directories::lists`].
    pub fn lists(&self) -> PathBuf {
        Directories::lists(self)
    }

    /// As [`Directories::locks`].
    pub fn locks(&self) -> PathBuf {
        Directories::locks(self)
    }
}

impl Cancel for Ctx {
    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }
}

impl Network for Ctx {
    fn is_offline(&self) -> bool {
        self.offline
    }
}

impl Directories for Ctx {
    fn root(&self) -> &Path {
        &self.root
    }

    fn cache(&self) -> &Path {
        &self.cache
    }

    fn data(&self) -> &Path {
        &self.data
    }
}

impl Report for Ctx {
    fn status(&self, line: &str) {
        self.ui.status(line);
    }

    fn step(&self, verb: &str, rest: &str) {
        self.ui.step(verb, rest);
    }

    fn detail(&self, line: &str) {
        self.ui.detail(line);
    }

    fn warn(&self, line: &str) {
        self.ui.warn(line);
    }

    fn is_live(&self) -> bool {
        self.ui.is_live()
    }

    fn faint(&self, text: &str) -> String {
        self.ui.faint(text)
    }

    fn bar(&self, look: Look, length: Option<u64>, message: &str) -> Box<dyn Bar> {
        self.ui.bar(look, length, message)
    }
}

/// The nearest directory upwards that holds `package-lists` and `layers`; else the
/// checkout that this program was compiled in.
fn find_root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("cannot read the working directory")?;
    let is_root = |path: &std::path::Path| {
        path.join("package-lists").is_dir() && path.join("layers").is_dir()
    };
    if let Some(found) = here.ancestors().find(|path| is_root(path)) {
        return Ok(found.to_owned());
    }
    let compiled = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    if is_root(&compiled) {
        return Ok(fs_err::canonicalize(compiled)?);
    }
    Err(error::bad_input(format!(
        "`{}` is not inside a checkout of this project",
        here.display()
    ))
    .into())
}
