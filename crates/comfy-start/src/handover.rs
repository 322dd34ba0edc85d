//! Gives the volume to the user of `PUID`, once.
//!
//! As long as `/root` does not belong to that user, what is in it is handed over, and `/root`
//! last: a start that is killed does it again. The user may have written anything there, so
//! no link is followed, no file with another name is touched, and every check is made on the
//! file that is then changed. Files above 1 MB stay as they are: they can be read, and what
//! is replaced is replaced by its name.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fstat, openat};

use crate::bundle::Area;
use crate::say::{detail, say, warn};

/// Larger files are not touched.
const MAX_BYTES: i64 = 1 << 20;

const OPEN: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Counts what was done.
#[derive(Debug, Default)]
struct Walk {
    uid: u32,
    gid: u32,
    /// Whose files are handed over.
    owners: Vec<u32>,
    /// Not entered.
    mounts: Vec<PathBuf>,
    n_changed: usize,
    n_large: usize,
    failure: Option<io::Error>,
}

/// Hands the home directory over, and what is mounted below it for ComfyUI.
pub fn hand_over(home: &Path, mounts: &[PathBuf], uid: u32, gid: u32) {
    let mut walk = Walk {
        uid,
        gid,
        mounts: mounts.to_vec(),
        ..Walk::default()
    };
    let comfyui = home.join("ComfyUI");
    let models = comfyui.join(Area::Models.name());
    let own: Vec<PathBuf> = Area::ALL
        .into_iter()
        .map(|area| comfyui.join(area.name()))
        .chain([comfyui.clone()])
        .chain([".cache", ".config", ".local", "user-scripts"].map(|name| home.join(name)))
        .collect();
    let below = mounts
        .iter()
        .filter(|mount| mount.starts_with(home) && *mount != home);
    for mount in below {
        // What only we write to is handed over whole; anything else if nothing is in it.
        let is_empty = fs::read_dir(mount).is_ok_and(|mut items| items.next().is_none());
        if (own.contains(mount) && *mount != models) || is_empty {
            walk.top(mount);
        }
        // The engine made what is above a mount.
        for above in mount.ancestors().skip(1).take_while(|above| *above != home) {
            walk.one(above);
        }
    }
    // Each may be of root's while `/root` is not: started as root before, or made by the engine.
    for directory in own.iter().filter(|directory| !mounts.contains(directory)) {
        walk.top(directory);
    }
    walk.top(home);
    if walk.n_changed > 0 {
        say(&format!(
            "handed {} files and directories below `{}` to uid {uid}",
            walk.n_changed,
            home.display()
        ));
    }
    if walk.n_large > 0 {
        say(&format!(
            "{} files above 1 MB keep their owner; `chown -R {uid}:{gid}` on the host changes them",
            walk.n_large
        ));
    }
    if let Some(error) = walk.failure {
        warn(&format!(
            "`{}` could not be handed over to uid {uid} wholly: {error}",
            home.display()
        ));
    }
}

impl Walk {
    /// Hands over a directory that does not belong to the user yet, with what is in it.
    fn top(&mut self, directory: &Path) {
        let Some((file, status)) = self.open(directory) else {
            return;
        };
        if status.st_uid == self.uid
            || FileType::from_raw_mode(status.st_mode) != FileType::Directory
        {
            return;
        }
        self.owners = vec![0, status.st_uid];
        self.directory(&file, directory);
        self.change(&file);
    }

    /// Hands over a directory of root's, without what is in it.
    fn one(&mut self, directory: &Path) {
        if let Some((file, status)) = self.open(directory) {
            if status.st_uid == 0 && FileType::from_raw_mode(status.st_mode) == FileType::Directory
            {
                self.change(&file);
            }
        }
    }

    /// Opens a path of which no part is a link.
    fn open(&self, path: &Path) -> Option<(OwnedFd, Stat)> {
        let mut file = rustix::fs::open("/", OPEN | OFlags::DIRECTORY, Mode::empty()).ok()?;
        for part in path.components().skip(1) {
            file = openat(&file, part.as_os_str(), OPEN, Mode::empty()).ok()?;
        }
        let status = fstat(&file).ok()?;
        Some((file, status))
    }

    fn directory(&mut self, file: &OwnedFd, path: &Path) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(file, c".", flags, Mode::empty()).and_then(Dir::read_from);
        let items = match opened {
            Ok(items) => items,
            Err(error) => return self.fail(error),
        };
        for item in items {
            match item {
                Ok(item) if item.file_name() != c"." && item.file_name() != c".." => {
                    self.item(file, item.file_name(), path);
                }
                Ok(_) => {}
                Err(error) => return self.fail(error),
            }
        }
    }

    fn item(&mut self, directory: &OwnedFd, name: &CStr, above: &Path) {
        let path = above.join(name.to_string_lossy().as_ref());
        if self.mounts.contains(&path) {
            return;
        }
        let opened = openat(directory, name, OPEN, Mode::empty());
        let (file, status) = match opened.and_then(|file| fstat(&file).map(|status| (file, status)))
        {
            Ok(found) => found,
            Err(rustix::io::Errno::NOENT) => return,
            Err(error) => return self.fail(error),
        };
        let is_ours = self.owners.contains(&status.st_uid);
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => {
                self.directory(&file, &path);
                if is_ours && status.st_uid != self.uid {
                    self.change(&file);
                }
            }
            _ if !is_ours || status.st_uid == self.uid => {}
            // Another name of it may be outside; the setuid bit is not for us to give.
            FileType::RegularFile if status.st_nlink != 1 || status.st_mode & 0o6000 != 0 => {
                detail(&format!("`{}` keeps its owner", path.display()));
            }
            FileType::RegularFile if status.st_size > MAX_BYTES => self.n_large += 1,
            FileType::RegularFile | FileType::Symlink => self.change(&file),
            _ => {}
        }
    }

    fn change(&mut self, file: &OwnedFd) {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        match chownat(file.as_fd(), c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH) {
            Ok(()) => self.n_changed += 1,
            Err(rustix::io::Errno::ROFS) => {}
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: rustix::io::Errno) {
        self.failure.get_or_insert(error.into());
    }
}
