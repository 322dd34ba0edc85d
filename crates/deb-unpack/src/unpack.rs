//! The members of a package, written below a root that none of them can leave.

use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};
use tar::EntryType;

use factory_base::error::{Explain as _, Failure};

use crate::decode;
use crate::error::Error;
use crate::limited::Limited;

/// The largest package we use unpacks to less than 1 GB; more than this is a bomb.
const MAX_UNPACKED: u64 = 8 << 30;

/// Unpacks the wanted members of a deb below `root`; `wanted` gets paths without leading `./`.
///
/// # Errors
/// Not a deb, or a member that leaves the root, is a device node or is unreasonably large:
/// the deb and the member are named.
pub fn unpack(deb: &Path, root: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    with_data(deb, |data| unpack_tar(data, root, wanted))
}

/// Copies one regular file of a deb, and whether it is executable, to `destination`.
///
/// # Errors
/// Not a deb, or it has no such regular file.
pub fn extract_member(deb: &Path, member: &str, destination: &Path) -> Result<()> {
    with_data(deb, |data| {
        let mut archive = tar::Archive::new(data);
        for entry in archive.entries()? {
            let mut entry = entry?;
            if !matches!(entry.header().entry_type(), EntryType::Regular)
                || member_path(&entry)? != member
            {
                continue;
            }
            return write_file(&mut entry, destination);
        }
        Err(refused(Error::NoRegularFile(member.to_owned())).into())
    })
}

fn with_data<T>(deb: &Path, work: impl FnOnce(Box<dyn Read + '_>) -> Result<T>) -> Result<T> {
    let run = || {
        let mut archive = ar::Archive::new(BufReader::new(fs_err::File::open(deb)?));
        while let Some(entry) = archive.next_entry() {
            let entry = entry?;
            let name = String::from_utf8_lossy(entry.header().identifier()).into_owned();
            let Some(compression) = name.strip_prefix("data.tar") else {
                continue;
            };
            // The ar entry borrows the archive; the decoders want to own their input.
            let size = usize::try_from(entry.header().size())?;
            let mut bytes = Vec::with_capacity(size.min(1 << 28));
            entry.take(size as u64).read_to_end(&mut bytes)?;
            let bytes = io::Cursor::new(bytes);
            let reader: Box<dyn Read> = match compression {
                "" => Box::new(bytes),
                ".xz" => Box::new(lzma_rust2::XzReader::new(bytes, true)),
                ".gz" => decode::gzip(Box::new(bytes)),
                ".zst" => decode::zstd(Box::new(bytes)).map_err(refused)?,
                other => {
                    return Err(refused(Error::UnknownCompression(other.to_owned())).into());
                }
            };
            return work(Box::new(Limited::new(reader, MAX_UNPACKED)));
        }
        Err(refused(Error::NoData).into())
    };
    run().with_context(|| format!("cannot unpack `{}`", deb.display()))
}

fn unpack_tar(data: impl Read, root: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    fs_err::create_dir_all(root)?;
    let root = fs_err::canonicalize(root)?;
    let mut archive = tar::Archive::new(data);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = member_path(&entry)?;
        if path.is_empty() || !wanted(&path) {
            continue;
        }
        unpack_member(&mut entry, &root, &path)?;
    }
    Ok(())
}

fn unpack_member(entry: &mut tar::Entry<'_, impl Read>, root: &Path, path: &str) -> Result<()> {
    let target = inside(root, path)?;
    let is_real = |target: &Path| target.symlink_metadata().is_ok();
    match entry.header().entry_type() {
        EntryType::Directory => {
            if !target.is_dir() {
                create_directory(&target)?;
            }
        }
        EntryType::Regular | EntryType::Continuous => {
            if is_real(&target) {
                fs_err::remove_file(&target)?;
            }
            write_file(entry, &target)?;
        }
        EntryType::Symlink => {
            let link = link_name(entry, path)?;
            if is_real(&target) {
                fs_err::remove_file(&target)?;
            }
            fs_err::os::unix::fs::symlink(link, &target)?;
        }
        EntryType::Link => {
            let link = link_name(entry, path)?;
            let link = link
                .to_str()
                .ok_or_else(|| refused(Error::LinkNotUtf8(path.to_owned())))?;
            let source = inside(root, &clean(link)?)?;
            let is_file = source
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_file());
            if !is_file {
                return Err(refused(Error::HardLink {
                    member: path.to_owned(),
                    link: link.to_owned(),
                })
                .into());
            }
            if is_real(&target) {
                fs_err::remove_file(&target)?;
            }
            fs_err::hard_link(source, &target)?;
        }
        kind => {
            return Err(refused(Error::Special {
                member: path.to_owned(),
                kind: format!("{kind:?}"),
            })
            .into());
        }
    }
    Ok(())
}

fn write_file(entry: &mut tar::Entry<'_, impl Read>, target: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let executable = entry.header().mode()? & 0o111 != 0;
    let mut file = fs_err::File::create(target)?;
    io::copy(entry, &mut file)?;
    let mode = if executable { 0o755 } else { 0o644 };
    fs_err::set_permissions(target, std::fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn link_name(entry: &tar::Entry<'_, impl Read>, path: &str) -> Result<PathBuf> {
    Ok(entry
        .link_name()?
        .ok_or_else(|| refused(Error::NoTarget(path.to_owned())))?
        .into_owned())
}

/// The member's path without leading `./` and trailing `/`; empty for the root itself.
fn member_path(entry: &tar::Entry<'_, impl Read>) -> Result<String> {
    let bytes = entry.path_bytes();
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| refused(Error::NotUtf8(String::from_utf8_lossy(&bytes).into_owned())))?;
    clean(text)
}

fn clean(text: &str) -> Result<String> {
    let mut parts = Vec::new();
    for component in Path::new(text).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::RootDir | Component::Prefix(_) => {
                return Err(refused(Error::Absolute(text.to_owned())).into());
            }
            Component::ParentDir => {
                return Err(refused(Error::Parent(text.to_owned())).into());
            }
        }
    }
    Ok(parts.join("/"))
}

/// Where a member goes: parents are made, links in them are followed only inside the root.
fn inside(root: &Path, path: &str) -> Result<PathBuf> {
    let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut directory = root.to_owned();
    for part in parents.split('/').filter(|part| !part.is_empty()) {
        let next = directory.join(part);
        match next.symlink_metadata() {
            Err(_) => create_directory(&next)?,
            Ok(metadata) if metadata.is_symlink() => {
                let real = next
                    .canonicalize()
                    .ok()
                    .filter(|real| real.starts_with(root));
                directory = real.ok_or_else(|| {
                    let link = next.strip_prefix(root).unwrap_or(&next);
                    refused(Error::ThroughLink {
                        member: path.to_owned(),
                        link: link.display().to_string(),
                    })
                })?;
                continue;
            }
            Ok(_) => {}
        }
        directory = next;
    }
    Ok(directory.join(name))
}

fn refused(error: Error) -> Failure {
    error.failure()
}

/// Another thread may unpack a package with the same directory into this root.
fn create_directory(path: &Path) -> Result<()> {
    match fs_err::create_dir(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(source.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    fn entry(kind: EntryType, path: &str, link: &str, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        // `set_path` refuses what we want to test, so the fields are written directly.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        let mut builder = Builder::new(Vec::new());
        builder.append(&header, content).unwrap();
        let mut bytes = builder.into_inner().unwrap();
        // Without the two zero blocks at the end, so that entries can be joined.
        bytes.truncate(bytes.len() - 1024);
        bytes
    }

    fn result_of(entries: &[Vec<u8>]) -> (tempfile::TempDir, Result<()>) {
        let directory = tempfile::tempdir().unwrap();
        let mut data = entries.concat();
        data.extend([0; 1024]);
        let deb = directory.path().join("test.deb");
        let mut builder = ar::Builder::new(std::fs::File::create(&deb).unwrap());
        for (name, content) in [("debian-binary", &b"2.0\n"[..]), ("data.tar", &data)] {
            let header = ar::Header::new(name.as_bytes().to_vec(), content.len() as u64);
            builder.append(&header, content).unwrap();
        }
        builder.into_inner().unwrap().sync_all().unwrap();
        let result = unpack(&deb, &directory.path().join("root"), &|_| true);
        (directory, result)
    }

    fn message(entries: &[Vec<u8>]) -> String {
        let (_directory, result) = result_of(entries);
        result.unwrap_err().root_cause().to_string()
    }

    #[test]
    fn ok_files_links_and_merged_directories() {
        let (directory, result) = result_of(&[
            entry(EntryType::Directory, "./", "", b""),
            entry(EntryType::Directory, "./usr/", "", b""),
            entry(EntryType::Directory, "./usr/lib/", "", b""),
            entry(EntryType::Symlink, "./lib", "usr/lib", b""),
            entry(EntryType::Regular, "./lib/a", "", b"content"),
            entry(EntryType::Link, "./usr/b", "./usr/lib/a", b""),
        ]);
        result.unwrap();
        let root = directory.path().join("root");
        assert_eq!(std::fs::read(root.join("usr/lib/a")).unwrap(), b"content");
        assert_eq!(std::fs::read(root.join("usr/b")).unwrap(), b"content");
    }

    #[test]
    fn err_absolute_path() {
        insta::assert_snapshot!(
            message(&[entry(EntryType::Regular, "/etc/passwd", "", b"x")]),
            @"member `/etc/passwd` has an absolute path"
        );
    }

    #[test]
    fn err_parent_directory() {
        insta::assert_snapshot!(
            message(&[entry(EntryType::Regular, "./usr/../../x", "", b"x")]),
            @"member `./usr/../../x` leaves its root with `..`"
        );
    }

    #[test]
    fn err_link_outside_written_through() {
        insta::assert_snapshot!(
            message(&[
                entry(EntryType::Symlink, "./out", "/tmp", b""),
                entry(EntryType::Regular, "./out/x", "", b"x"),
            ]),
            @"member `out/x` goes through the link `out`, which leaves the root"
        );
    }

    #[test]
    fn ok_a_link_outside_is_replaced_not_written_through() {
        let outside = tempfile::NamedTempFile::new().unwrap();
        let (directory, result) = result_of(&[
            entry(
                EntryType::Symlink,
                "./out",
                &outside.path().to_string_lossy(),
                b"",
            ),
            entry(EntryType::Regular, "./out", "", b"x"),
        ]);
        result.unwrap();
        assert_eq!(std::fs::read(outside.path()).unwrap(), b"");
        assert_eq!(
            std::fs::read(directory.path().join("root/out")).unwrap(),
            b"x"
        );
    }

    #[test]
    fn err_hard_link_outside() {
        insta::assert_snapshot!(
            message(&[entry(EntryType::Link, "./x", "../y", b"")]),
            @"member `../y` leaves its root with `..`"
        );
    }

    #[test]
    fn err_device_node() {
        insta::assert_snapshot!(
            message(&[entry(EntryType::Char, "./dev/null", "", b"")]),
            @"member `dev/null` is a device node or another special file (Char)"
        );
    }
}
