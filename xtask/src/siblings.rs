//! The repositories that were pushed to from here: what one of them has, a new one of the same
//! registry takes from it.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use factory_base::fs;

/// So many are remembered. Each costs a request for each blob that a registry lacks.
const MOST: usize = 8;

/// A file of the cache; without it nothing is known, and pushes send more.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Siblings {
    /// `HOST/NAME`, the last one first.
    repositories: Vec<String>,
}

impl Siblings {
    /// Reads the file. One that is damaged is as good as none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(crate) fn read(ctx: &Ctx) -> Result<Self> {
        match fs_err::read_to_string(file(ctx)) {
            Ok(text) => Ok(toml::from_str(&text).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Those of the same registry, but for the repository itself.
    pub(crate) fn of(&self, repository: &str) -> Vec<String> {
        let host = host(repository);
        let is_sibling = |name: &&String| host == self::host(name) && *name != repository;
        self.repositories
            .iter()
            .filter(is_sibling)
            .cloned()
            .collect()
    }

    /// Remembers one more.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(mut self, ctx: &Ctx, repository: &str) -> Result<()> {
        if self.repositories.first().map(String::as_str) == Some(repository) {
            return Ok(());
        }
        self.add(repository);
        fs::write_atomic(&file(ctx), toml::to_string(&self)?.as_bytes())
    }

    fn add(&mut self, repository: &str) {
        self.repositories.retain(|name| name != repository);
        self.repositories.insert(0, repository.to_owned());
        self.repositories.truncate(MOST);
    }
}

fn file(ctx: &Ctx) -> PathBuf {
    ctx.cache.join("pushed-to.toml")
}

fn host(repository: &str) -> &str {
    repository.split_once('/').map_or("", |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_the_last_ones_of_the_registry() {
        let mut siblings = Siblings::default();
        for number in 0..10 {
            siblings.add(&format!("a.test/x/{number}"));
        }
        siblings.add("b.test/x/9");
        siblings.add("a.test/x/5");
        let names = siblings.of("a.test/x/5");
        assert_eq!(
            names,
            [
                "a.test/x/9",
                "a.test/x/8",
                "a.test/x/7",
                "a.test/x/6",
                "a.test/x/4",
                "a.test/x/3"
            ]
        );
        assert_eq!(siblings.of("b.test/y"), ["b.test/x/9"]);
        assert_eq!(siblings.of("c.test/y"), [""; 0]);
    }
}
