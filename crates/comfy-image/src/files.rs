//! File access whose errors carry the path. It knows no format except JSON.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Where Nix keeps its store, as seen from inside it.
const STORE: &str = "/nix/store";

/// Returns where a path physically is: a store path below `store_root`, any other unchanged.
pub fn resolve<'a>(store_root: Option<&Path>, path: &'a Path) -> Cow<'a, Path> {
    match (store_root, path.strip_prefix("/")) {
        (Some(root), Ok(relative)) if path.starts_with(STORE) => Cow::Owned(root.join(relative)),
        _ => Cow::Borrowed(path),
    }
}

/// Reads a JSON document; `what` names its kind in errors.
pub fn read_json<T: DeserializeOwned>(what: &'static str, path: &Path) -> Result<T, Error> {
    let bytes = fs::read(path).at("read", path)?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json {
        what,
        path: path.to_owned(),
        source,
    })
}

/// Writes a JSON document, indented and with a final newline, whole or not at all.
pub fn write_json<T: Serialize>(what: &'static str, path: &Path, value: &T) -> Result<(), Error> {
    write_whole(path, json_text(what, path, value)?.as_bytes())
}

/// Renders a JSON document as [`write_json`] would write it.
pub(crate) fn json_text<T: Serialize>(
    what: &'static str,
    path: &Path,
    value: &T,
) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(value).map_err(|source| Error::Json {
        what,
        path: path.to_owned(),
        source,
    })?;
    text.push('\n');
    Ok(text)
}

/// Writes a small file through a temporary one beside it, and makes it durable.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // The output of a derivation: Nix takes it only when the builder succeeds,
    // and nothing else may appear in the store.
    if path.parent() == Some(Path::new(STORE)) {
        return fs::write(path, bytes).at("write", path);
    }
    let name = path.file_name().ok_or_else(|| {
        Error::invalid("output", format!("`{}` has no file name", path.display()))
    })?;
    let temporary = path.with_file_name(partial_name(&name.to_string_lossy()));
    let mut file = File::create(&temporary).at("create", &temporary)?;
    file.write_all(bytes).at("write", &temporary)?;
    publish(&file, &temporary, path)
}

/// Makes a complete temporary file durable under its final name.
pub(crate) fn publish(file: &File, temporary: &Path, path: &Path) -> Result<(), Error> {
    file.sync_all().at("flush", temporary)?;
    fs::rename(temporary, path).at("rename to", path)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    File::open(&parent)
        .and_then(|parent| parent.sync_all())
        .at("flush", &parent)
}

/// Names the temporary file of this process for a final name.
pub(crate) fn partial_name(name: &str) -> String {
    format!(".partial-{}-{name}", std::process::id())
}

/// Says whether a name is a temporary file whose process is gone.
pub(crate) fn is_stale_partial(name: &str) -> bool {
    name.strip_prefix(".partial-")
        .and_then(|rest| rest.split_once('-'))
        .and_then(|(process, _)| process.parse::<u32>().ok())
        .is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists())
}

/// Adds the action and the path to an error of the system.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_store_path_goes_below_the_store_root() {
        let root = Some(Path::new("/home/me/nix"));
        let tree = Path::new("/nix/store/abc-numpy");
        assert_eq!(
            resolve(root, tree),
            Path::new("/home/me/nix/nix/store/abc-numpy")
        );
        assert_eq!(resolve(None, tree), tree);
        assert_eq!(resolve(root, Path::new("/tmp/x")), Path::new("/tmp/x"));
        assert_eq!(
            resolve(root, Path::new("/nix/storefront/x")),
            Path::new("/nix/storefront/x")
        );
    }
}
