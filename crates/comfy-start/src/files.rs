//! File operations that name the file when they fail, and never leave half of one.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::entry::Entry;
use crate::error::{At as _, Error};

/// Renders bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn symlink_metadata(path: &Path) -> Result<Metadata, Error> {
    fs::symlink_metadata(path).at("look at", path)
}

/// The metadata of what is at a path, links not followed; `None` where nothing is.
pub(crate) fn look(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).at("look at", path),
    }
}

/// Hashes a file's content, or a link's target.
pub(crate) fn digest(path: &Path, is_link: bool) -> Result<String, Error> {
    let mut hash = Sha256::new();
    if is_link {
        let target = fs::read_link(path).at("read", path)?;
        hash.update(b"link to ");
        hash.update(target.as_os_str().as_encoded_bytes());
    } else {
        let mut file = File::open(path).at("open", path)?;
        copy(&mut file, &mut io::sink(), &mut hash).at("read", path)?;
    }
    Ok(hex(&hash.finalize()))
}

/// Says when the content of a file changed last, in nanoseconds since 1970.
pub fn mtime_ns(metadata: &Metadata) -> i64 {
    metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec()
}

/// Writes a copy of an entry where nothing is, and returns the digest of what it wrote. The
/// content is not synced: one `syncfs` follows for all files.
pub(crate) fn write_copy(entry: &Entry, to: &Path) -> Result<String, Error> {
    if entry.is_link {
        let target = fs::read_link(&entry.source).at("read", &entry.source)?;
        std::os::unix::fs::symlink(target, to).at("make the link", to)?;
        return digest(to, true);
    }
    let mut source = File::open(&entry.source).at("open", &entry.source)?;
    let mode = if entry.is_executable { 0o755 } else { 0o644 };
    let mut target = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(to)
        .at("create", to)?;
    let mut hash = Sha256::new();
    copy(&mut source, &mut target, &mut hash).at("write", to)?;
    Ok(hex(&hash.finalize()))
}

fn copy(from: &mut File, to: &mut impl io::Write, hash: &mut Sha256) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n_bytes = from.read(&mut buffer)?;
        if n_bytes == 0 {
            return Ok(());
        }
        hash.update(&buffer[..n_bytes]);
        to.write_all(&buffer[..n_bytes])?;
    }
}

/// Says whether a file holds the beginning of another one, and not all of it.
pub(crate) fn is_beginning(path: &Path, of: &Path) -> Result<bool, Error> {
    let mut short = File::open(path).at("open", path)?;
    let mut long = File::open(of).at("open", of)?;
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let n_bytes = short.read(&mut left).at("read", path)?;
        if n_bytes == 0 {
            return Ok(long.read(&mut right[..1]).at("read", of)? == 1);
        }
        if long.read_exact(&mut right[..n_bytes]).is_err() || left[..n_bytes] != right[..n_bytes] {
            return Ok(false);
        }
    }
}

/// Replaces a small file: written beside, synced, renamed.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().at("write", path)?;
    sync_directory(path.parent().unwrap_or(Path::new("/")))
}

/// Makes the names in a directory last.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Error> {
    let file = File::open(directory).at("open", directory)?;
    // Some network file systems know no sync of directories.
    match file.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result.at("sync", directory),
    }
}

/// Makes everything of the file system that holds a directory last.
pub(crate) fn sync_file_system(directory: &Path) -> Result<(), Error> {
    let file = File::open(directory).at("open", directory)?;
    rustix::fs::syncfs(&file).at("sync the file system of", directory)
}

/// Moves a file or directory over what is there, to another file system too. There it is
/// copied beside the target first.
pub(crate) fn move_to(from: &Path, to: &Path) -> Result<(), Error> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        result => return result.at("write", to),
    }
    let metadata = symlink_metadata(from)?;
    let entry = Entry {
        source: from.to_owned(),
        size_bytes: metadata.len(),
        is_executable: metadata.permissions().mode() & 0o111 != 0,
        is_link: metadata.is_symlink(),
    };
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".comfy-start");
    let beside = to.with_file_name(name);
    remove_if_there(&beside)?;
    write_copy(&entry, &beside)?;
    if !entry.is_link {
        File::open(&beside)
            .and_then(|file| file.sync_all())
            .at("sync", &beside)?;
    }
    fs::rename(&beside, to).at("write", to)?;
    fs::remove_file(from).at("remove", from)
}

/// Removes a file that may be there.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.at("remove", path),
    }
}

/// Removes a directory with everything in it, which may be there.
pub(crate) fn remove_tree(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.at("remove", path),
    }
}

/// Makes a directory and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).at("make the directory", path)
}
