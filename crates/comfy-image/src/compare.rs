//! Says how two members of one path differ, in words that an error can use.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::error::{Error, show};
use crate::files::At as _;
use crate::tree::{Entry, Kind};

/// Returns how two members differ, if they do; each comes with the root of its tree.
///
/// Two directories never differ here: their modes are the caller's to judge.
pub(crate) fn difference(
    path: &[u8],
    (first, first_root): (&Entry, &Path),
    (second, second_root): (&Entry, &Path),
) -> Result<Option<String>, Error> {
    Ok(match (&first.kind, &second.kind) {
        (Kind::Directory, Kind::Directory) => None,
        (Kind::File { size_bytes: one }, Kind::File { size_bytes: other }) => {
            let relative = OsStr::from_bytes(path);
            let is_same = one == other
                && same_bytes(&first_root.join(relative), &second_root.join(relative))?;
            if !is_same {
                Some("the contents differ".to_owned())
            } else if first.mode != second.mode {
                Some(modes(first, second))
            } else {
                None
            }
        }
        (Kind::Symlink { target: one }, Kind::Symlink { target: other }) => {
            (one != other).then(|| format!("symlinks to `{}` and to `{}`", show(one), show(other)))
        }
        (one, other) => Some(format!("{} and {}", describe(one), describe(other))),
    })
}

/// Says that modes differ.
pub(crate) fn modes(first: &Entry, second: &Entry) -> String {
    format!(
        "the modes differ, {:04o} and {:04o}",
        first.mode, second.mode
    )
}

fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Directory => "a directory".to_owned(),
        Kind::File { .. } => "a file".to_owned(),
        Kind::Symlink { target } => format!("a symlink to `{}`", show(target)),
    }
}

fn same_bytes(one_path: &Path, other_path: &Path) -> Result<bool, Error> {
    let mut one = File::open(one_path).at("open", one_path)?;
    let mut other = File::open(other_path).at("open", other_path)?;
    let (mut one_chunk, mut other_chunk) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n_one = fill(&mut one, &mut one_chunk).at("read", one_path)?;
        let n_other = fill(&mut other, &mut other_chunk).at("read", other_path)?;
        if one_chunk[..n_one] != other_chunk[..n_other] {
            return Ok(false);
        }
        if n_one == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the chunk is full or the file ends.
fn fill(reader: &mut impl std::io::Read, chunk: &mut [u8]) -> std::io::Result<usize> {
    let mut n_bytes = 0;
    while n_bytes < chunk.len() {
        match reader.read(&mut chunk[n_bytes..]) {
            Ok(0) => break,
            Ok(n_read) => n_bytes += n_read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_bytes)
}
