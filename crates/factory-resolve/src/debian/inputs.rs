//! What people wrote about Debian, and the locks there are.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::config::{Config, parse_list};
use crate::committed;
use crate::context::Context;
use crate::error::Error;
use factory_base::error::Explain as _;
use factory_model::list::{Faults, Line};
use factory_model::lock::{DebianLock, Sealed};
use factory_model::system::System;

/// What may change.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Take the newest version of everything.
    pub upgrade: bool,
    /// Take the newest version of these.
    pub upgrade_packages: BTreeSet<String>,
    /// Suites whose Release file may be past its Valid-Until.
    pub allow_expired: Vec<String>,
}

/// Everything there is.
pub(super) struct Inputs {
    pub config: Config,
    /// By root.
    pub lists: BTreeMap<String, Vec<Line>>,
    /// By root; of those that have one.
    pub locks: BTreeMap<String, Sealed<DebianLock>>,
    /// What it is for.
    pub system: System,
}

impl Inputs {
    /// Reads lists and the locks of a system.
    pub fn read(ctx: &dyn Context, system: &System) -> Result<Self> {
        let path = ctx.lists().join("debian.toml");
        let config = Config::parse(&fs_err::read_to_string(&path)?, system)
            .map_err(|problem| problem.of("package-lists/debian.toml").failure())?;
        let mut lists = BTreeMap::new();
        let mut locks = BTreeMap::new();
        let mut faults = Vec::new();
        for name in config.roots.keys() {
            let file = list_file(name);
            match parse_list(&file, &fs_err::read_to_string(ctx.root().join(&file))?) {
                Ok(lines) => {
                    lists.insert(name.clone(), lines);
                }
                Err(found) => faults.extend(found),
            }
            if let Some(found) = committed::read(ctx, &system.lock_name(&format!("debian/{name}")))?
            {
                locks.insert(name.clone(), found);
            }
        }
        if !faults.is_empty() {
            return Err(Error::Lists(Faults(faults)).failure().into());
        }
        Ok(Self {
            config,
            lists,
            locks,
            system: system.clone(),
        })
    }

    /// All packages that a list or a lock names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let wanted = self.lists.values().flatten().map(|line| line.text.as_str());
        let locks = self.locks.values();
        let locked = locks.flat_map(|found| &found.lock.packages);
        wanted.chain(locked.map(|package| package.name.as_str()))
    }

    /// The committed lock of a root, whether or not it is current.
    pub fn old(&self, root: &str) -> Option<DebianLock> {
        self.locks.get(root).map(|found| found.lock.clone())
    }

    /// The roots that must be solved.
    pub fn stale(&self, options: &Options) -> BTreeSet<&str> {
        let upgraded = self.upgraded(options);
        let is_stale = |name: &&str| {
            let chain = self.config.chain(name).unwrap_or_default();
            options.upgrade
                || !self.is_current(name)
                || chain.iter().any(|below| upgraded.contains(*below))
        };
        self.config.order().into_iter().filter(is_stale).collect()
    }

    fn is_current(&self, name: &str) -> bool {
        let found = self.locks.get(name).filter(|found| found.is_sealed);
        found.is_some_and(|found| self.fits(name, &found.lock))
    }

    /// Whether a lock belongs to the list of its root.
    pub fn fits(&self, name: &str, lock: &DebianLock) -> bool {
        lock.list_sha256 == self.config.list_sha256(name, &self.lists)
    }

    /// The roots whose lock holds a package that is to be upgraded.
    fn upgraded(&self, options: &Options) -> BTreeSet<&str> {
        let locks = self.locks.iter().filter(|(_, found)| {
            let mut packages = found.lock.packages.iter();
            packages.any(|package| options.upgrade_packages.contains(&package.name))
        });
        locks.map(|(name, _)| name.as_str()).collect()
    }
}

/// Where the list of a root is, from the checkout's root.
pub(super) fn list_file(root: &str) -> String {
    format!("package-lists/debian/{root}.apt")
}
