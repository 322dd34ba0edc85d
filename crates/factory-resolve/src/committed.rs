//! The lock files of the checkout: read, and whether they are as they should be.

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::Error;
use factory_base::error::Explain as _;
use factory_model::lock::{self, Sealed};

/// Locks that are not right, by their path below `package-lists/locks`, without `.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// They do not belong to the lists as they are, or are missing.
    pub stale: Vec<String>,
    /// They are not as they were written.
    pub edited: Vec<String>,
}

impl Checked {
    /// Counts one lock. An edited one says nothing about the lists.
    pub(crate) fn add<T>(
        &mut self,
        name: String,
        found: Option<&Sealed<T>>,
        is_current: impl FnOnce(&T) -> bool,
    ) {
        match found {
            Some(found) if !found.is_sealed => self.edited.push(name),
            Some(found) if is_current(&found.lock) => {}
            _ => self.stale.push(name),
        }
    }

    /// Adds those of another kind.
    pub fn extend(&mut self, other: Self) {
        self.stale.extend(other.stale);
        self.edited.extend(other.edited);
    }
}

/// Reads a lock by its path below `package-lists/locks`, without `.toml`; `None` where there is
/// none yet.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read<T: DeserializeOwned>(
    ctx: &dyn Context,
    name: &str,
) -> Result<Option<Sealed<T>>> {
    let path = ctx.locks().join(format!("{name}.toml"));
    if !path.exists() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&path)?;
    let found = lock::parse(&text).with_context(|| {
        let path = path.clone();
        Error::BadLock { path }.failure()
    })?;
    Ok(Some(found))
}
