//! What of a checkout every list depends on: its layers, and the systems that it is for.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::context::Context;
use crate::error::Error;
use factory_base::error::{self, Explain as _};
use factory_model::layers::Layers;
use factory_model::system::{System, Systems};

/// The layers of the checkout; each is a directory, and no directory is left over.
///
/// # Errors
/// `layers/layers.toml` cannot be read or is wrong, or does not agree with the directories.
pub fn layers(ctx: &dyn Context) -> Result<Layers> {
    let text = fs_err::read_to_string(ctx.root().join(Layers::FILE))?;
    let layers = Layers::parse(&text).map_err(|problem| {
        let file = Layers::FILE.to_owned();
        let problem = problem.to_string();
        Error::BadFile { file, problem }.failure()
    })?;
    check(&layers, &directories(ctx)?).map_err(|error| error.failure())?;
    Ok(layers)
}

/// The systems that images are for.
///
/// # Errors
/// `package-lists/systems.toml` cannot be read or is wrong.
pub fn systems(ctx: &dyn Context) -> Result<Systems> {
    let text = fs_err::read_to_string(ctx.root().join(Systems::FILE))?;
    Ok(Systems::parse(&text).map_err(|problem| {
        let file = Systems::FILE.to_owned();
        let problem = problem.to_string();
        Error::BadFile { file, problem }.failure()
    })?)
}

/// Those of these names, or all when there are none.
///
/// # Errors
/// As [`systems`]; or there is none of a name.
pub fn systems_named(ctx: &dyn Context, names: &[String]) -> Result<Vec<System>> {
    let systems = systems(ctx)?;
    if names.is_empty() {
        return Ok(systems.iter().cloned().collect());
    }
    let mut wanted = Vec::new();
    for name in names {
        let system = systems.find(name).map_err(|unknown| {
            let hints = unknown.hints();
            let failure = error::bad_input(unknown.to_string());
            hints.into_iter().fold(failure, error::Failure::hint)
        })?;
        wanted.push(system.clone());
    }
    // The default first: the others are compared with it.
    wanted.sort_by_key(|system| !system.is_default);
    wanted.dedup();
    Ok(wanted)
}

/// Names of the directories of `layers/` that look like a layer's.
fn directories(ctx: &dyn Context) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(ctx.root().join("layers"))? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| Error::NotUtf8 { path: entry.path() }.failure())?;
        // Editors' own directories are not layers.
        if name.starts_with(|character: char| character.is_ascii_digit()) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn check(layers: &Layers, directories: &BTreeSet<String>) -> Result<(), Error> {
    let named: BTreeSet<String> = layers.iter().map(|one| one.name.to_string()).collect();
    if let Some(name) = named.difference(directories).next().cloned() {
        return Err(Error::NoLayerDirectory { name });
    }
    if let Some(name) = directories.difference(&named).next().cloned() {
        return Err(Error::UnnamedLayerDirectory { name });
    }
    Ok(())
}

/// The system of this name, for tests.
#[cfg(test)]
pub(crate) fn system(name: &str) -> System {
    let text = include_str!("../../../package-lists/systems.toml");
    Systems::parse(text).unwrap().find(name).unwrap().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_lines_and_directories_differ() {
        let layers = Layers::parse(
            "schema_version = 1\ncuda = '01-low'\ncuda_metadata = '01-low'\nlayers = [{ name = '01-low', stage = 's' }]",
        )
        .unwrap();
        let say = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            match check(&layers, &names) {
                Ok(()) => "they agree".to_owned(),
                Err(failure) => format!("{failure}\n{}", failure.hints().join("\n")),
            }
        };
        assert_eq!(say(&["01-low"]), "they agree");
        insta::assert_snapshot!(say(&[]), @r"
        `layers/layers.toml` names `01-low`, but there is no directory `layers/01-low`
        make the directory with a `flake.nix` as its neighbours have, or remove the line
        ");
        insta::assert_snapshot!(say(&["01-low", "02-high"]), @r"
        the directory `layers/02-high` is no layer: `layers/layers.toml` does not name it
        add its line, in its place
        ");
    }
}
