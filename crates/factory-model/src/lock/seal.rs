//! The checksum that a lock carries of its other lines, so that an edit by hand is noticed. Pure.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sha256::Sha256;

/// First lines of each lock file.
const PREAMBLE: &str = "# Written by `cargo xtask update-locks`; do not edit.\n";

/// The line that holds the checksum.
const LINE: &str = "content_sha256 = ";
/// It stands before this line in locks that have it,
const BEFORE: &str = "list_sha256 = ";
/// and after this one, which all locks have, in the others.
const AFTER: &str = "schema_version = ";

/// A lock, and whether its file is as [`text`] wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    /// What the file says.
    pub lock: T,
    /// Nobody edited the file.
    pub is_sealed: bool,
}

/// Reads a lock file.
///
/// # Errors
/// It is not TOML, or no lock of this kind.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<Sealed<T>, toml::de::Error> {
    // An empty line in place of the checksum: the places in messages stay those of the file.
    let body: String = text
        .split_inclusive('\n')
        .map(|line| if line.starts_with(LINE) { "\n" } else { line })
        .collect();
    Ok(Sealed {
        lock: toml::from_str(&body)?,
        is_sealed: is_sealed(text),
    })
}

/// The text of a lock file, with the checksum of all its other lines.
///
/// # Errors
/// The type cannot be written as TOML: a bug.
pub fn text<T: Serialize>(lock: &T) -> Result<String, toml::ser::Error> {
    Ok(seal(&format!("{PREAMBLE}\n{}", toml::to_string(lock)?)))
}

/// Whether the text of a lock file is what [`text`] made of it.
pub fn is_sealed(text: &str) -> bool {
    let body: String = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with(LINE))
        .collect();
    seal(&body) == text
}

/// A lock's text with the checksum of all other lines.
fn seal(body: &str) -> String {
    let has = |start: &str| body.lines().any(|line| line.starts_with(start));
    let sha256 = Sha256::of(body.as_bytes());
    let line = format!("{LINE}\"{sha256}\"\n");
    let is_before = has(BEFORE);
    let anchor = if is_before { BEFORE } else { AFTER };
    let mut sealed = String::with_capacity(body.len() + line.len());
    let mut left = Some(line);
    for part in body.split_inclusive('\n') {
        let here = part.starts_with(anchor).then(|| left.take()).flatten();
        let (before, after) = if is_before {
            (here, None)
        } else {
            (None, here)
        };
        sealed.push_str(before.as_deref().unwrap_or_default());
        sealed.push_str(part);
        sealed.push_str(after.as_deref().unwrap_or_default());
    }
    sealed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_before_the_hash_of_the_lists_or_after_the_version() {
        let zeros = "0".repeat(64);
        let with_lists = format!("# head\n\nschema_version = 1\nlist_sha256 = \"{zeros}\"\n");
        for (body, at) in [
            (with_lists.as_str(), 3),
            ("schema_version = 1\nname = \"a\"\n", 1),
        ] {
            let sealed = seal(body);
            assert!(is_sealed(&sealed), "{sealed}");
            assert!(
                sealed.lines().nth(at).unwrap().starts_with(LINE),
                "{sealed}"
            );
            assert_eq!(sealed.lines().count(), body.lines().count() + 1);
        }
    }

    #[test]
    fn err_edited() {
        let text = "schema_version = 1\nlist_sha256 = \"00\"\nname = \"a\"\n";
        assert!(!is_sealed(text));
        let sealed = seal(text);
        assert!(!is_sealed(&sealed.replace("name = \"a\"", "name = \"b\"")));
        assert!(!is_sealed(&sealed.replace("\"00\"", "\"01\"")));
        assert!(!is_sealed(&format!("{sealed}\n")));
        assert!(!is_sealed(&format!("{sealed}{LINE}\"\"\n")));
    }

    #[test]
    fn err_place_is_that_of_the_file() {
        let text = seal("schema_version = 1\n\n[weights.x]\nurl = 1\n");
        let error = parse::<crate::lock::SourcesLock>(&text).unwrap_err();
        assert!(error.to_string().contains("line 5"), "{error}");
    }
}
