//! Reading what people wrote about checks: all faults together, each with file and line.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::Error;
use crate::check::{Check, IMPORTS_FILE, ImportRules};
use factory_base::error::Explain as _;
use factory_model::layer::LayerName;

/// All checks of some layers, in order of layers and names.
pub(super) fn checks(root: &Path, layers: &[LayerName]) -> Result<Vec<Check>> {
    let mut checks: Vec<Check> = Vec::new();
    let mut faults = Vec::new();
    for layer in layers {
        for (name, text) in files(root, layer)? {
            let file = format!("layers/{layer}/checks/{name}.toml");
            match Check::parse(layer, &name, &text) {
                Err(error) => faults.push(format!("{file}:{error}")),
                Ok(check) => match checks.iter().find(|other| other.name == check.name) {
                    Some(other) => faults.push(format!(
                        "{file}:1:1: layer {} has a check of this name",
                        other.layer
                    )),
                    None => checks.push(check),
                },
            }
        }
    }
    finish(checks, &faults)
}

/// The rules for imports of some layers together.
pub(super) fn import_rules(
    root: &Path,
    layers: &[LayerName],
    is_known: impl Fn(&str) -> bool,
) -> Result<ImportRules> {
    let mut rules = ImportRules::default();
    let mut faults = Vec::new();
    for layer in layers {
        let file = format!("layers/{layer}/checks/{IMPORTS_FILE}");
        let path = root.join(&file);
        if path.is_file() {
            match ImportRules::parse(&fs_err::read_to_string(&path)?, &is_known) {
                Ok(more) => rules.extend(more),
                Err(error) => faults.push(format!("{file}:{error}")),
            }
        }
    }
    finish(rules, &faults)
}

/// Name and text of each check's file, sorted by name.
fn files(root: &Path, layer: &LayerName) -> Result<Vec<(String, String)>> {
    let directory = root.join(format!("layers/{layer}/checks"));
    let mut files = Vec::new();
    if !directory.is_dir() {
        return Ok(files);
    }
    for entry in fs_err::read_dir(&directory)? {
        let path = entry?.path();
        let is_check = path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && path.file_name().is_some_and(|name| name != IMPORTS_FILE);
        if is_check {
            let name = path.file_stem().and_then(|stem| stem.to_str());
            let name = name.with_context(|| format!("`{}` is not UTF-8", path.display()))?;
            files.push((name.to_owned(), fs_err::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

fn finish<T>(found: T, faults: &[String]) -> Result<T> {
    if faults.is_empty() {
        return Ok(found);
    }
    let faults = faults.to_vec();
    Err(Error::UnreadableChecks { faults }.failure().into())
}
