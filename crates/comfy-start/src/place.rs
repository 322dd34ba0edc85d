//! Finds where ComfyUI's directories are, and what may be written.
//!
//! That is `/root/ComfyUI`. Where the user may not write there, because the engine made the
//! parents of mounts as root, it is a directory beside it, with links to what is mounted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::bundle::Area;
use crate::error::{At as _, Error};
use crate::files::{look, make_directory};
use crate::say::{detail, say, warn};
use crate::settings::Settings;

/// Holds where things are.
#[derive(Debug)]
pub struct Place {
    /// The home directory for ComfyUI's process.
    pub home: PathBuf,
    /// ComfyUI's directory.
    pub base: PathBuf,
    /// The areas that may be written.
    pub writable: BTreeMap<Area, PathBuf>,
    /// Those that are there and may not.
    pub read_only: BTreeMap<Area, PathBuf>,
}

impl Place {
    /// Finds or makes the directories.
    ///
    /// # Errors
    ///
    /// One that ComfyUI must write to cannot be written.
    pub fn find(settings: &Settings) -> Result<Self, Error> {
        let wanted = settings.home.join("ComfyUI");
        let (base, home) = match try_directory(&wanted) {
            Ok(()) => {
                let home = writable_home(&settings.home)?;
                (wanted.clone(), home)
            }
            Err(reason) => {
                let (base, home) = elsewhere(settings, &wanted, &reason)?;
                link_areas(&wanted, &base)?;
                (base, home)
            }
        };
        let mut place = Self {
            home,
            base,
            writable: BTreeMap::new(),
            read_only: BTreeMap::new(),
        };
        for area in Area::ALL {
            place.look_at(area)?;
        }
        Ok(place)
    }

    fn look_at(&mut self, area: Area) -> Result<(), Error> {
        let path = self.base.join(area.name());
        if look(&path)?.is_some_and(|metadata| metadata.is_symlink()) && !path.exists() {
            let target = fs::read_link(&path).at("read", &path)?;
            warn(&format!(
                "`{}` is a link to `{}`, which this container does not have: mount it there too",
                path.display(),
                target.display()
            ));
            return Ok(());
        }
        match try_directory(&path) {
            Ok(()) => {
                self.writable.insert(area, path);
            }
            Err(reason) if area.is_needed() => return Err(not_writable(&path, &reason)),
            Err(reason) => {
                let lost = match area {
                    Area::CustomNodes => "nodes are neither installed nor upgraded there",
                    Area::Input => "uploads will fail",
                    _ => "downloads into it will fail",
                };
                say(&format!(
                    "`{}` cannot be written ({reason}): {lost}",
                    path.display()
                ));
                self.read_only.insert(area, path);
            }
        }
        Ok(())
    }
}

/// Makes a directory if it is not there, and a file in it to see that it may be written. The
/// file has always the same name, so that a start that is killed leaves none for long.
fn try_directory(path: &Path) -> Result<(), io::Error> {
    fs::create_dir_all(path)?;
    let probe = path.join(".comfy-start.probe");
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&probe)?;
    match fs::remove_file(&probe) {
        // Another container on the same volume.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The home directory, or one in `/tmp` where caches and settings are written instead.
fn writable_home(home: &Path) -> Result<PathBuf, Error> {
    let Err(reason) = try_directory(home) else {
        return Ok(home.to_owned());
    };
    let instead = temporary("home");
    try_directory(&instead).at("write", &instead)?;
    warn(&format!(
        "`{}` cannot be written ({reason}): caches and settings go to `{}`, and with the container",
        home.display(),
        instead.display()
    ));
    Ok(instead)
}

fn temporary(name: &str) -> PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    std::env::temp_dir().join(format!("{name}-{uid}"))
}

/// Finds another directory for ComfyUI, since the usual one cannot be written.
fn elsewhere(
    settings: &Settings,
    wanted: &Path,
    reason: &io::Error,
) -> Result<(PathBuf, PathBuf), Error> {
    let uid = rustix::process::geteuid().as_raw();
    let beside = settings.home.join(format!("ComfyUI-{uid}"));
    if try_directory(&beside).is_ok() {
        say(&format!(
            "`{}` cannot be written ({reason}): ComfyUI is in `{}`, with links to what is mounted",
            wanted.display(),
            beside.display()
        ));
        return Ok((beside, settings.home.clone()));
    }
    // A volume that somebody mounted, and that nothing can be kept in, is a mistake.
    if is_mount_point(&settings.home) || is_mount_point(wanted) {
        let path = if is_mount_point(wanted) {
            wanted
        } else {
            &settings.home
        };
        return Err(not_writable(path, reason));
    }
    let base = temporary("ComfyUI");
    try_directory(&base).at("write", &base)?;
    let home = writable_home(&settings.home)?;
    warn(&format!(
        "`{}` cannot be written ({reason}): ComfyUI is in `{}`, and what is not mounted goes with the container",
        wanted.display(),
        base.display()
    ));
    Ok((base, home))
}

/// Links what is mounted below the usual directory into the other one.
fn link_areas(wanted: &Path, base: &Path) -> Result<(), Error> {
    make_directory(base)?;
    let mounts = mount_points();
    for area in Area::ALL {
        let from = wanted.join(area.name());
        // The engine made it, as root, for a mount further below: only that one is of use.
        let is_parent =
            area.is_needed() && !mounts.contains(&from) && try_directory(&from).is_err();
        if !is_parent {
            link(&from, &base.join(area.name()))?;
            continue;
        }
        for mount in mounts.iter().filter(|mount| mount.starts_with(&from)) {
            if let Ok(below) = mount.strip_prefix(wanted) {
                link(mount, &base.join(below))?;
            }
        }
    }
    for name in ["extra_model_paths.yaml", "extra_paths.yaml"] {
        link(&wanted.join(name), &base.join(name))?;
    }
    Ok(())
}

/// Makes a link to what is there, unless something is at its place.
fn link(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.exists() || look(to)?.is_some() {
        return Ok(());
    }
    detail(&format!(
        "linking `{}` to `{}`",
        to.display(),
        from.display()
    ));
    make_directory(to.parent().unwrap_or(to))?;
    symlink(from, to).at("make the link", to)
}

fn not_writable(path: &Path, reason: &io::Error) -> Error {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let owner = fs::metadata(path).or_else(|_| fs::metadata(path.parent().unwrap_or(path)));
    let way_out = match owner {
        _ if reason.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            format!("mount a volume that may be written at `{}`", path.display())
        }
        Ok(owner) if owner.uid() != 0 => format!(
            "on the host, `chown -R {uid}:{gid}` the directory that is mounted there, or start with `--user {0}:{1}` as its owner",
            owner.uid(),
            owner.gid()
        ),
        _ => format!(
            "on the host, `chown -R {uid}:{gid}` the directory that is mounted there, or start as root with `-e PUID={uid} -e PGID={gid}`, which hands it over"
        ),
    };
    Error::NotWritable {
        path: path.to_owned(),
        user: format!("uid {uid}"),
        reason: reason.to_string(),
        way_out,
    }
}

/// Lists the mount points of this process, from `proc(5)`.
pub fn mount_points() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    parse_mount_points(&text)
}

fn parse_mount_points(text: &str) -> Vec<PathBuf> {
    text.lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|field| PathBuf::from(unescape(field)))
        .collect()
}

/// Undoes the octal escapes of white space and backslashes.
fn unescape(field: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(field.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn is_mount_point(path: &Path) -> bool {
    mount_points().iter().any(|mount| mount == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_mount_points() {
        let text = "36 35 98:0 /mnt1 / rw,noatime master:1 - ext3 /dev/root rw\n\
            37 36 98:0 /x /root/with\\040space ro shared:1 - ext4 /dev/sda rw\n";
        let points = parse_mount_points(text);
        assert_eq!(points, [Path::new("/"), Path::new("/root/with space")]);
    }
}
