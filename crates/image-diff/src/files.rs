//! The files of blobs, read from their streams, and how two lists of them differ.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::verified::hex;

/// How a blob is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A tar.
    Tar,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Encoding {
    /// The encoding that a layer's media type says, in OCI's words or in Docker's.
    ///
    /// # Errors
    /// It is another one.
    pub fn of(media_type: &str) -> Result<Self, Error> {
        match media_type.rsplit(['.', '+']).next() {
            Some("tar") => Ok(Self::Tar),
            Some("gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            _ => Err(Error::MediaType(media_type.to_owned())),
        }
    }
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum FileState {
    /// A regular file.
    File {
        /// Permission bits, octal: `0644`.
        mode: String,
        /// Its bytes.
        size_bytes: u64,
        /// SHA-256 of its content, in hex.
        sha256: String,
    },
    /// A directory.
    Directory {
        /// Permission bits, octal.
        mode: String,
    },
    /// A symlink or a hard link.
    Link {
        /// Where it points.
        target: String,
    },
    /// A device, a pipe, or what else there is.
    Other {
        /// Permission bits, octal.
        mode: String,
    },
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileChange {
    /// From the root of the image, without a slash in front.
    pub path: String,
    /// What it was; null for a path that is new.
    pub was: Option<FileState>,
    /// What it is; null for a path that is gone.
    pub now: Option<FileState>,
}

/// How the files of two sets of blobs differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileDiff {
    /// Paths that are new.
    pub n_added: usize,
    /// Paths that are gone.
    pub n_removed: usize,
    /// Paths of another kind, mode, size or content.
    pub n_changed: usize,
    /// The paths in order; or, where not all of them are asked for, the largest ones first.
    pub files: Vec<FileChange>,
}

/// The paths of one or more blobs; a later blob replaces what an earlier one has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    paths: BTreeMap<String, FileState>,
}

impl Listing {
    /// Adds what a blob holds, reading it to its end.
    ///
    /// # Errors
    /// It is no archive in this encoding, or does not come.
    pub fn read(&mut self, blob: &mut dyn Read, encoding: Encoding) -> Result<(), Error> {
        let listed = self.decode(blob, encoding);
        // Whoever checks the digest of the stream has to see all of it; and that it is wrong
        // says more than what a decoder meets then.
        io::copy(blob, &mut io::sink())?;
        listed
    }

    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    fn decode(&mut self, blob: &mut dyn Read, encoding: Encoding) -> Result<(), Error> {
        match encoding {
            Encoding::Tar => self.read_tar(blob),
            Encoding::Gzip => self.read_tar(&mut deb_unpack::gzip(Box::new(blob))),
            Encoding::Zstd => {
                let decoded = deb_unpack::zstd(Box::new(blob));
                self.read_tar(&mut decoded.map_err(io::Error::other)?)
            }
        }
    }

    fn read_tar(&mut self, tar: &mut dyn Read) -> Result<(), Error> {
        let mut archive = tar::Archive::new(tar);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = path.trim_start_matches("./").trim_matches('/').to_owned();
            let state = state_of(&mut entry)?;
            self.paths.insert(path, state);
        }
        // The padding after the last member is part of a compressed stream, too.
        io::copy(archive.into_inner(), &mut io::sink())?;
        Ok(())
    }
}

fn state_of(entry: &mut tar::Entry<'_, &mut dyn Read>) -> io::Result<FileState> {
    let header = entry.header();
    let mode = format!("{:04o}", header.mode()? & 0o7777);
    let kind = header.entry_type();
    if kind.is_symlink() || kind.is_hard_link() {
        let target = entry.link_name_bytes().unwrap_or_default();
        let target = String::from_utf8_lossy(&target).into_owned();
        return Ok(FileState::Link { target });
    }
    if kind.is_dir() {
        return Ok(FileState::Directory { mode });
    }
    if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
        return Ok(FileState::Other { mode });
    }
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size_bytes = 0;
    loop {
        let n_bytes = entry.read(&mut buffer)?;
        if n_bytes == 0 {
            break;
        }
        hasher.update(&buffer[..n_bytes]);
        size_bytes += n_bytes as u64;
    }
    let sha256 = hasher.finalize();
    Ok(FileState::File {
        mode,
        size_bytes,
        sha256: hex(&sha256),
    })
}

/// Compares two lists. Directories count where their mode differs: each blob has those above its
/// files. Keeps the largest files where there are more than `most`.
pub fn compare_files(old: &Listing, new: &Listing, most: usize) -> FileDiff {
    let paths: BTreeSet<&String> = old.paths.keys().chain(new.paths.keys()).collect();
    let mut diff = FileDiff::default();
    for path in paths {
        let (was, now) = (old.paths.get(path), new.paths.get(path));
        let is_directory = |state| matches!(state, Some(&FileState::Directory { .. }));
        match (was, now) {
            _ if was == now => continue,
            (None, _) if is_directory(now) => continue,
            (_, None) if is_directory(was) => continue,
            (None, _) => diff.n_added += 1,
            (_, None) => diff.n_removed += 1,
            (Some(_), Some(_)) => diff.n_changed += 1,
        }
        diff.files.push(FileChange {
            path: path.clone(),
            was: was.cloned(),
            now: now.cloned(),
        });
    }
    if diff.files.len() > most {
        diff.files
            .sort_by_key(|change| std::cmp::Reverse(change.size_bytes()));
        diff.files.truncate(most);
    }
    diff
}

impl FileChange {
    /// The larger one of the two sizes.
    fn size_bytes(&self) -> u64 {
        let of = |state: &Option<FileState>| match state {
            Some(FileState::File { size_bytes, .. }) => *size_bytes,
            _ => 0,
        };
        of(&self.was).max(of(&self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// A tar of files, directories (with a slash at the end) and symlinks (with a target).
    fn tar(members: &[(&str, u32, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, mode, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            header.set_size(0);
            if path.ends_with('/') {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, path, io::empty()).unwrap();
            } else if let Some(target) = content.strip_prefix("-> ") {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target).unwrap();
            } else {
                header.set_size(content.len() as u64);
                builder
                    .append_data(&mut header, path, content.as_bytes())
                    .unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    fn listing(bytes: &[u8], encoding: Encoding) -> Listing {
        let mut listing = Listing::default();
        listing.read(&mut &*bytes, encoding).unwrap();
        listing
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    #[test]
    fn ok_the_same_in_every_encoding_and_in_pieces() {
        let tar = tar(&[
            ("usr/", 0o755, ""),
            ("usr/a", 0o644, &"text ".repeat(99)),
            ("b", 0o777, "-> usr/a"),
        ]);
        let plain = listing(&tar, Encoding::Tar);
        assert_eq!(plain.len(), 3);
        let (one, two) = tar.split_at(700);
        for (bytes, encoding) in [
            (gzip(&tar), Encoding::Gzip),
            ([gzip(one), gzip(two)].concat(), Encoding::Gzip),
            (zstd(&tar), Encoding::Zstd),
            ([zstd(one), zstd(two)].concat(), Encoding::Zstd),
        ] {
            assert_eq!(listing(&bytes, encoding), plain, "{encoding:?}");
        }
        let FileState::File {
            sha256, size_bytes, ..
        } = &plain.paths["usr/a"]
        else {
            panic!("no file");
        };
        assert_eq!(*size_bytes, 495);
        let expected = comfy_image::Digest::of("text ".repeat(99).as_bytes());
        assert_eq!(*sha256, expected.hex());
    }

    #[test]
    fn err_bytes_that_are_cut_or_altered() {
        let tar = tar(&[("a", 0o644, &"text ".repeat(999))]);
        let fails =
            |bytes: &[u8], encoding| Listing::default().read(&mut &*bytes, encoding).is_err();
        assert!(fails(&tar[..1000], Encoding::Tar));
        assert!(fails(&tar[100..], Encoding::Tar));
        for (bytes, encoding) in [(gzip(&tar), Encoding::Gzip), (zstd(&tar), Encoding::Zstd)] {
            assert!(fails(&bytes[..bytes.len() - 9], encoding), "{encoding:?}");
            assert!(fails(&tar, encoding), "{encoding:?}");
        }
    }

    #[test]
    fn ok_what_differs() {
        let old = listing(
            &tar(&[
                ("usr/", 0o755, ""),
                ("old/", 0o755, ""),
                ("same", 0o644, "1"),
                ("mode", 0o644, "1"),
                ("content", 0o644, "larger"),
                ("gone", 0o644, "1"),
                ("kind", 0o644, "1"),
                ("link", 0o777, "-> a"),
            ]),
            Encoding::Tar,
        );
        let mut new = listing(
            &tar(&[("content", 0o644, "replaced below"), ("usr/", 0o700, "")]),
            Encoding::Tar,
        );
        let upper = tar(&[
            ("same", 0o644, "1"),
            ("mode", 0o4755, "1"),
            ("content", 0o644, "2"),
            ("kind", 0o644, "-> 1"),
            ("link", 0o777, "-> b"),
            ("new/", 0o755, ""),
            ("new/file", 0o644, ""),
        ]);
        new.read(&mut upper.as_slice(), Encoding::Tar).unwrap();
        let diff = compare_files(&old, &new, 100);
        let paths: Vec<&str> = diff.files.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(
            paths,
            ["content", "gone", "kind", "link", "mode", "new/file", "usr"]
        );
        assert_eq!((diff.n_added, diff.n_removed, diff.n_changed), (1, 1, 5));
        let few = compare_files(&old, &new, 2);
        assert_eq!((few.files.len(), few.n_changed), (2, 5));
        assert_eq!(few.files[0].path, "content");
        assert_eq!(compare_files(&new, &new, 9), FileDiff::default());
    }

    #[test]
    fn ok_encodings_by_media_type() {
        for (text, encoding) in [
            ("application/vnd.oci.image.layer.v1.tar", Encoding::Tar),
            (
                "application/vnd.oci.image.layer.v1.tar+zstd",
                Encoding::Zstd,
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+gzip",
                Encoding::Gzip,
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                Encoding::Gzip,
            ),
        ] {
            assert_eq!(Encoding::of(text).unwrap(), encoding);
        }
        assert!(Encoding::of("application/vnd.oci.image.layer.v1.tar+encrypted").is_err());
    }
}
