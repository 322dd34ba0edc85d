//! Writes archives in which every field can be wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use wheel_install::install::install;
use wheel_install::request::Request;

pub const STORE: u16 = 0;
pub const DEFLATE: u16 = 8;

/// A member, with what its two headers say.
#[derive(Debug, Clone)]
pub struct Member {
    pub name: Vec<u8>,
    pub local_name: Option<Vec<u8>>,
    pub mode: u32,
    pub method: u16,
    pub flags: u16,
    pub extra: Vec<u8>,
    /// As they lie in the archive.
    pub packed: Vec<u8>,
    pub crc: u32,
    pub size: u32,
    pub packed_size: u32,
    /// What the list of members says in place of it.
    pub listed_size: Option<u32>,
    pub listed_crc: Option<u32>,
    /// What stands behind the member.
    pub descriptor: Vec<u8>,
    /// Where the list of members says that it is.
    pub offset: Option<u32>,
}

impl Member {
    pub fn new(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let packed = deflate(content);
        Self {
            method: DEFLATE,
            packed_size: u32::try_from(packed.len()).unwrap(),
            packed,
            ..Self::stored(name, content)
        }
    }

    pub fn stored(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let size = u32::try_from(content.len()).unwrap();
        Self {
            crc: zlib_rs::crc32::crc32(0, content),
            size,
            packed: content.to_vec(),
            packed_size: size,
            ..Self::empty(name)
        }
    }

    pub fn empty(name: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref().to_vec();
        Self {
            flags: if name.is_ascii() { 0 } else { 1 << 11 },
            name,
            local_name: None,
            mode: 0o100_644,
            method: STORE,
            extra: Vec::new(),
            packed: Vec::new(),
            crc: 0,
            size: 0,
            packed_size: 0,
            listed_size: None,
            listed_crc: None,
            descriptor: Vec::new(),
            offset: None,
        }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Sizes and checksum behind the member, and none before it.
    pub fn with_descriptor(self, size: u32, crc: u32) -> Self {
        self.with(|member| {
            member.flags |= 1 << 3;
            member.descriptor = b"PK\x07\x08".to_vec();
            for number in [crc, member.packed_size, size] {
                member.descriptor.extend(number.to_le_bytes());
            }
        })
    }
}

/// <https://www.rfc-editor.org/rfc/rfc1951>
pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut output = vec![0; zlib_rs::compress_bound(content.len()) + 64];
    let mut encoder = zlib_rs::Deflate::new(6, false, 15);
    let status = encoder.compress(content, &mut output, zlib_rs::DeflateFlush::Finish);
    assert_eq!(status.unwrap(), zlib_rs::Status::StreamEnd);
    output.truncate(usize::try_from(encoder.total_out()).unwrap());
    output
}

/// An archive with these members.
pub fn archive(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        let offset = u32::try_from(bytes.len()).unwrap();
        let has_descriptor = member.flags & 1 << 3 != 0;
        let numbers = [member.crc, member.packed_size, member.size];
        let local = if has_descriptor { [0; 3] } else { numbers };
        let name = member.local_name.as_ref().unwrap_or(&member.name);
        bytes.extend(b"PK\x03\x04");
        header(&mut bytes, member, local, name);
        bytes.extend(name);
        bytes.extend(&member.packed);
        bytes.extend(&member.descriptor);

        let listed = [
            member.listed_crc.unwrap_or(member.crc),
            member.packed_size,
            member.listed_size.unwrap_or(member.size),
        ];
        // Made by version 2.0 on Unix.
        directory.extend(b"PK\x01\x02\x14\x03");
        header(&mut directory, member, listed, &member.name);
        // The length of its extra field is the last of what both headers have.
        let at = directory.len() - 2;
        let length = u16::try_from(member.extra.len()).unwrap();
        directory[at..].copy_from_slice(&length.to_le_bytes());
        directory.extend([0; 6]);
        directory.extend((member.mode << 16).to_le_bytes());
        directory.extend(member.offset.unwrap_or(offset).to_le_bytes());
        directory.extend(&member.name);
        directory.extend(&member.extra);
    }
    // What does not fit would be in another record, which no reader gets to here.
    let count = u16::try_from(members.len()).unwrap_or(u16::MAX);
    end(&mut bytes, &directory, count);
    bytes
}

/// What both headers of a member have, from the version that is needed on.
fn header(bytes: &mut Vec<u8>, member: &Member, numbers: [u32; 3], name: &[u8]) {
    for number in [20, member.flags, member.method, 0, 0x21] {
        bytes.extend(u16::to_le_bytes(number));
    }
    for number in numbers {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend([0; 2]);
}

/// The list of members and the end of an archive.
pub fn end(bytes: &mut Vec<u8>, directory: &[u8], count: u16) {
    let offset = u32::try_from(bytes.len()).unwrap();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0; 2]);
}

pub fn record_row(path: &str, content: &[u8]) -> String {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
    format!("{path},sha256={hash},{}\n", content.len())
}

pub const WHEEL: &str =
    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
pub const METADATA: &str = "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n";

/// The members of a sound wheel with these files: METADATA, WHEEL and RECORD come behind them.
pub fn members(files: &[(&str, &[u8])]) -> Vec<Member> {
    let own: [(&str, &[u8]); 2] = [
        ("thing-1.0.dist-info/METADATA", METADATA.as_bytes()),
        ("thing-1.0.dist-info/WHEEL", WHEEL.as_bytes()),
    ];
    let mut record = String::new();
    let mut members = Vec::new();
    for (path, content) in files.iter().chain(&own) {
        record += &record_row(path, content);
        members.push(Member::new(path, content));
    }
    record += "thing-1.0.dist-info/RECORD,,\n";
    members.push(Member::new("thing-1.0.dist-info/RECORD", record));
    members
}

/// Members whose RECORD is another.
pub fn members_with_record(
    files: &[(&str, &[u8])],
    change: impl FnOnce(String) -> String,
) -> Vec<Member> {
    let mut members = members(files);
    let rows = files
        .iter()
        .map(|(path, content)| record_row(path, content));
    let own = [("METADATA", METADATA), ("WHEEL", WHEEL)];
    let own =
        own.map(|(name, text)| record_row(&format!("thing-1.0.dist-info/{name}"), text.as_bytes()));
    let record: String = rows.chain(own).collect();
    let record = change(record + "thing-1.0.dist-info/RECORD,,\n");
    let last = members.len() - 1;
    members[last] = Member::new("thing-1.0.dist-info/RECORD", record);
    members
}

/// A directory with a wheel in it, and where its tree goes.
pub struct Place {
    pub directory: tempfile::TempDir,
    pub request: Request,
}

impl Place {
    pub fn new(archive: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let wheel = directory.path().join("thing-1.0-py3-none-any.whl");
        std::fs::write(&wheel, archive).unwrap();
        let request = Request {
            package: "thing 1.0".to_owned(),
            wheel,
            python_directory: "python3.14t".to_owned(),
            metadata_only: false,
            shared_from_bytes: 1000,
            links: BTreeMap::new(),
        };
        Self { directory, request }
    }

    pub fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    /// The tree, one line for each file: mode, path, and content or target. Or the message.
    pub fn install(&self) -> Result<String, String> {
        let threads = NonZeroUsize::new(2).unwrap();
        match install(&self.request, &self.out(), threads) {
            Ok(()) => Ok(tree(&self.out())),
            Err(error) => {
                assert!(!self.out().exists(), "half a tree stays");
                let directory = self.directory.path().to_str().unwrap();
                Err(error.render().replace(directory, "DIR"))
            }
        }
    }
}

fn tree(root: &Path) -> String {
    let mut text = String::new();
    let mut directories = vec![root.to_owned()];
    let mut lines = BTreeMap::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let shown = path.strip_prefix(root).unwrap().display().to_string();
            if metadata.is_dir() {
                directories.push(path);
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                lines.insert(shown, format!("-> {}", target.display()));
            } else {
                let mode = metadata.permissions().mode() & 0o7777;
                let content = std::fs::read(&path).unwrap();
                let content = match String::from_utf8(content) {
                    Ok(text) if text.len() < 600 => format!("{text:?}"),
                    Ok(text) => format!("{} bytes", text.len()),
                    Err(error) => format!("{} bytes", error.into_bytes().len()),
                };
                lines.insert(shown, format!("{mode:o} {content}"));
            }
        }
    }
    for (path, line) in lines {
        writeln!(text, "{path} {line}").unwrap();
    }
    text
}
