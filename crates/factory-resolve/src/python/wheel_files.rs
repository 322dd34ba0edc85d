//! `wheel-files.toml`: single files of wheels that the image holds once, or not at all. Pure.

use serde::Deserialize;

use super::name::PackageName;
use crate::error::Problem;
use factory_model::lock::Sha256;
use factory_model::schema;

/// `package-lists/wheel-files.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelFiles {
    schema_version: u32,
    /// Size in bytes from which a file that several wheels have is in the image once.
    pub shared_from_bytes: u64,
    /// Files that the image does not take.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// Files of one wheel of the CUDA toolkit that the image does not take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The distribution.
    pub package: PackageName,
    /// Paths below the toolkit's directory.
    pub paths: Vec<String>,
    /// Why.
    pub reason: String,
}

impl WheelFiles {
    /// Where the file is, from the checkout's root.
    pub const FILE: &str = "package-lists/wheel-files.toml";

    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let file: Self = toml::from_str(text)?;
        schema::check(file.schema_version)?;
        if file.shared_from_bytes == 0 {
            let problem = "shared_from_bytes is 0, and empty files are all the same";
            return Err(Problem::Content(problem.to_owned()));
        }
        for entry in &file.left_out {
            if entry.reason.trim().is_empty() {
                let problem = format!("left_out of `{}` has no reason", entry.package);
                return Err(Problem::Content(problem));
            }
        }
        Ok(file)
    }

    /// Paths that the image does not take of a distribution.
    pub fn left_out_of(&self, package: &PackageName) -> impl Iterator<Item = &str> {
        self.left_out
            .iter()
            .filter(move |entry| entry.package == *package)
            .flat_map(|entry| entry.paths.iter().map(String::as_str))
    }

    /// Hash of all of it that a lock depends on; reasons and order do not count.
    pub fn sha256(&self) -> Sha256 {
        let mut facts: Vec<String> = self
            .left_out
            .iter()
            .flat_map(|entry| {
                let paths = entry.paths.iter();
                paths.map(|path| format!("{} without {path}", entry.package))
            })
            .collect();
        facts.sort_unstable();
        facts.push(format!("from {} bytes", self.shared_from_bytes));
        Sha256::of(facts.join("\n").as_bytes())
    }
}
