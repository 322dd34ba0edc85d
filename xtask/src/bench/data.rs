//! The data of `bench/`, and the documents whose tables are written from it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use factory_base::error::{self, Explain as _};
use factory_base::fs::write_atomic;
use factory_bench::{Case, Earlier, Measured, Tables};

use crate::ctx::Ctx;
use crate::document;

/// Where results are, when nobody says otherwise.
pub(crate) fn results(ctx: &Ctx) -> PathBuf {
    ctx.root.join("bench/results")
}

/// Writes what a case measured: beside its place, then renamed.
pub(crate) fn write(directory: &Path, measured: &Measured) -> Result<PathBuf> {
    let file = directory.join(format!("{}.json", measured.case));
    let text = format!("{}\n", document::pretty(measured)?);
    write_atomic(&file, text.as_bytes())?;
    Ok(file)
}

/// Everything that is known.
///
/// # Errors
/// A file is no document of this kind, or has the name of another case.
pub fn tables(root: &Path) -> Result<Tables> {
    let mut tables = Tables::default();
    for (name, text) in documents(&root.join("bench/results"))? {
        let file = format!("bench/results/{name}.json");
        let measured = Measured::read(&file, &text).map_err(|error| error.failure())?;
        let case: Case = name
            .parse()
            .map_err(|error: factory_bench::Error| error.failure())?;
        if case != measured.case {
            let message = format!("`{file}` is about the case `{}`", measured.case);
            return Err(error::bad_input(message).into());
        }
        tables.measured.insert(case, measured);
    }
    for (name, text) in documents(&root.join("bench/earlier"))? {
        let file = format!("bench/earlier/{name}.json");
        let earlier = Earlier::read(&file, &text).map_err(|error| error.failure())?;
        tables.earlier.insert(name, earlier);
    }
    Ok(tables)
}

/// The JSON files of a directory, by name.
fn documents(directory: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    if directory.is_dir() {
        for entry in fs_err::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|_| path.extension().is_some_and(|end| end == "json")) {
                found.push((name.to_owned(), fs_err::read_to_string(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The documents that may have tables: README.md and those of `docs/`, from the root on.
///
/// # Errors
/// A directory cannot be read.
pub fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = vec![PathBuf::from("README.md")];
    for entry in walkdir::WalkDir::new(root.join("docs")).sort_by_file_name() {
        let entry = entry?;
        if entry.path().extension().is_some_and(|end| end == "md") {
            pages.push(entry.path().strip_prefix(root)?.to_owned());
        }
    }
    Ok(pages)
}

/// Each page whose tables are not those of the data, with its new text.
///
/// # Errors
/// A page or the data cannot be read, or a marker names nothing.
pub fn outdated(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let tables = tables(root)?;
    let mut found = Vec::new();
    for page in pages(root)? {
        let text = fs_err::read_to_string(root.join(&page))?;
        let name = page.display().to_string();
        let new = factory_bench::render(&name, &text, &tables).map_err(|error| error.failure())?;
        if new != text {
            found.push((page, new));
        }
    }
    Ok(found)
}
