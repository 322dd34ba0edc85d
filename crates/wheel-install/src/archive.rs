//! The members of a wheel's archive, after everything that may lie in one was compared:
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>
//!
//! Readers of archives differ in what they believe where an archive contradicts itself, so one
//! that does is refused.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::{
    CompressionMethod, FileReader, ZipArchive, ZipArchiveEntryWayfinder, ZipFileHeaderRecord,
};

use crate::error::Fault;
use crate::name::check_path;

/// The most members. The wheel of PyTorch has 13,000.
const MAX_MEMBERS: usize = 200_000;
/// How many times its own size a wheel may unpack to. The most that was seen is 10.
const MAX_EXPANSION: u64 = 100;
/// What any wheel may unpack to, however small it is, in bytes.
const MIN_EXPANDED: u64 = 64 << 20;

/// Flags of members that cannot be read: encrypted, a patch, strongly encrypted, masked.
const UNREADABLE: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;
/// The bits of a mode that say what kind of file it is, and the kinds.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

/// How the bytes of a member are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As they are.
    Store,
    /// <https://www.rfc-editor.org/rfc/rfc1951>
    Deflate,
}

/// A file of the archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its path, which [`check_path`] accepts.
    pub path: String,
    /// It is a regular file that somebody may execute.
    pub is_executable: bool,
    /// Its size in bytes, unpacked.
    pub size: u64,
    /// CRC-32 of what it is unpacked.
    pub crc: u32,
    /// How it is packed.
    pub method: Method,
    pub(crate) place: ZipArchiveEntryWayfinder,
}

/// A wheel's archive.
#[derive(Debug)]
pub struct Archive {
    pub(crate) zip: ZipArchive<FileReader>,
    /// The files, as the archive's own list has them.
    pub members: Vec<Member>,
}

/// Bytes of the archive that belong to one member.
struct Span {
    start: u64,
    end: u64,
    path: String,
}

impl Archive {
    /// Reads the list of members.
    ///
    /// # Errors
    /// It cannot be read, is no archive, contradicts itself, or has what no wheel may have.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(Fault::io("open", path))?;
        let metadata = file.metadata().map_err(Fault::io("open", path))?;
        let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let zip = ZipArchive::from_file(file, &mut buffer).map_err(damaged)?;
        let mut scratch = vec![0; 2 * usize::from(u16::MAX)];
        let mut found = Found::default();
        let mut entries = zip.entries(&mut buffer);
        while let Some(record) = entries.next_entry().map_err(damaged)? {
            found.add(&zip, &record, &mut scratch)?;
        }
        if found.spans.len() as u64 != zip.entries_hint() {
            let text = format!(
                "the archive says that it has {} members, and lists {}",
                zip.entries_hint(),
                found.spans.len()
            );
            return Err(Fault::wheel(text));
        }
        check_total(&found.members, metadata.len())?;
        check_spans(found.spans, zip.directory_offset())?;
        Ok(Self {
            zip,
            members: found.members,
        })
    }

    /// The member with a path.
    ///
    /// # Errors
    /// There is none.
    pub fn member(&self, path: &str) -> Result<&Member, Fault> {
        self.find(path)
            .ok_or_else(|| Fault::member(path, "the archive does not have it"))
    }

    /// The member with a path, if there is one.
    pub fn find(&self, path: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.path == path)
    }
}

fn damaged(error: rawzip::Error) -> Fault {
    Fault::wheel(format!("it is not a sound zip archive: {error}"))
}

/// What was read so far.
#[derive(Default)]
struct Found {
    members: Vec<Member>,
    spans: Vec<Span>,
    /// Paths in lower case, and as they are.
    paths: BTreeMap<String, String>,
}

impl Found {
    fn add(
        &mut self,
        zip: &ZipArchive<FileReader>,
        record: &ZipFileHeaderRecord<'_>,
        scratch: &mut [u8],
    ) -> Result<(), Fault> {
        if self.spans.len() == MAX_MEMBERS {
            return Err(Fault::wheel("the archive has more than 200000 members"));
        }
        let (path, is_directory) = path_of(record)?;
        let method = method_of(record, &path)?;
        check_kind(record, &path, is_directory)?;
        self.spans.push(span(zip, record, &path, scratch)?);
        if let Some(other) = self.paths.insert(path.to_lowercase(), path.clone()) {
            let reason = if other == path {
                "the archive has it twice".to_owned()
            } else {
                format!(
                    "it differs from `{}` in case alone",
                    crate::error::show(&other)
                )
            };
            return Err(Fault::member(&path, reason));
        }
        if is_directory {
            return Ok(());
        }
        let mode = record.external_attributes() >> 16;
        self.members.push(Member {
            path,
            is_executable: mode & KIND == REGULAR && mode & 0o111 != 0,
            size: record.uncompressed_size_hint(),
            crc: record.crc32(),
            method,
            place: record.wayfinder(),
        });
        Ok(())
    }
}

/// The path, and whether it is that of a directory.
fn path_of(record: &ZipFileHeaderRecord<'_>) -> Result<(String, bool), Fault> {
    let path = record.file_path();
    let bytes = path.as_bytes();
    let shown = String::from_utf8_lossy(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Fault::member(&shown, "its path is not UTF-8"));
    };
    if !text.is_ascii() && !record.flags().is_utf8() {
        return Err(Fault::member(
            text,
            "its path is not ASCII, and the archive does not say that it is UTF-8",
        ));
    }
    let mut fields = record.extra_fields();
    if fields.any(|(id, _)| id == ExtraFieldId::INFO_ZIP_UNICODE_PATH) {
        return Err(Fault::member(text, "it has a second path"));
    }
    let (path, is_directory) = match text.strip_suffix('/') {
        Some(directory) => (directory, true),
        None => (text, false),
    };
    check_path(path).map_err(|reason| Fault::member(text, reason))?;
    Ok((path.to_owned(), is_directory))
}

fn method_of(record: &ZipFileHeaderRecord<'_>, path: &str) -> Result<Method, Fault> {
    if record.flags().bits() & UNREADABLE != 0 {
        return Err(Fault::member(path, "it is encrypted or a patch"));
    }
    match record.compression_method() {
        CompressionMethod::STORE => {
            if record.compressed_size_hint() != record.uncompressed_size_hint() {
                return Err(Fault::member(path, "it is stored, and has two sizes"));
            }
            Ok(Method::Store)
        }
        CompressionMethod::DEFLATE => Ok(Method::Deflate),
        other => {
            let reason = format!(
                "it is packed by method {}, and only 0 (stored) and 8 (deflated) are read",
                other.as_u16()
            );
            Err(Fault::member(path, reason))
        }
    }
}

fn check_kind(
    record: &ZipFileHeaderRecord<'_>,
    path: &str,
    is_directory: bool,
) -> Result<(), Fault> {
    let kind = (record.external_attributes() >> 16) & KIND;
    let expected = if is_directory { DIRECTORY } else { REGULAR };
    if kind != 0 && kind != expected {
        let reason = match kind {
            0o120_000 => "it is a link",
            REGULAR => "it is a file, and its path that of a directory",
            DIRECTORY => "it is a directory, and its path that of a file",
            _ => "it is a device, pipe or socket",
        };
        return Err(Fault::member(path, reason));
    }
    if is_directory && record.uncompressed_size_hint() != 0 {
        return Err(Fault::member(path, "it is a directory with content"));
    }
    Ok(())
}

/// Compares what stands before and behind a member with the list, and gives its bytes.
fn span(
    zip: &ZipArchive<FileReader>,
    record: &ZipFileHeaderRecord<'_>,
    path: &str,
    scratch: &mut [u8],
) -> Result<Span, Fault> {
    let wrong = |error: rawzip::Error| Fault::member(path, format!("it cannot be read: {error}"));
    let contradicts =
        |what: &str| Fault::member(path, format!("the archive has two values for its {what}"));
    let entry = zip.get_entry(record.wayfinder()).map_err(wrong)?;
    let local = entry.local_header(scratch).map_err(wrong)?;
    if local.file_path().as_bytes() != record.file_path().as_bytes() {
        return Err(contradicts("path"));
    }
    if local.compression_method() != record.compression_method() {
        return Err(contradicts("method"));
    }
    if local.flags().bits() != record.flags().bits() {
        return Err(contradicts("flags"));
    }
    let listed = (
        record.crc32(),
        record.compressed_size_hint(),
        record.uncompressed_size_hint(),
    );
    let found = match entry.reader().data_descriptor().map_err(wrong)? {
        Some(behind) => (
            behind.crc32(),
            behind.compressed_size(),
            behind.uncompressed_size(),
        ),
        None => (
            local.crc32(),
            local.compressed_size_hint(),
            local.uncompressed_size_hint(),
        ),
    };
    if found != listed {
        return Err(contradicts("size or checksum"));
    }
    Ok(Span {
        start: record.local_header_offset(),
        end: entry.compressed_data_range().1,
        path: path.to_owned(),
    })
}

/// Refuses what unpacks to more than wheels do.
fn check_total(members: &[Member], archive_bytes: u64) -> Result<(), Fault> {
    let most = archive_bytes
        .saturating_mul(MAX_EXPANSION)
        .max(MIN_EXPANDED);
    let mut total: u64 = 0;
    for member in members {
        total = total.saturating_add(member.size);
        if total > most {
            let reason = format!(
                "with it the archive of {archive_bytes} bytes unpacks to {total}, and {most} are the most"
            );
            return Err(Fault::member(&member.path, reason));
        }
    }
    Ok(())
}

/// Refuses members that share bytes, and bytes before the first.
fn check_spans(mut spans: Vec<Span>, directory: u64) -> Result<(), Fault> {
    spans.sort_by_key(|span| span.start);
    let mut end = 0;
    for span in &spans {
        if span.start < end {
            return Err(Fault::member(&span.path, "it overlaps another member"));
        }
        end = span.end;
    }
    match (spans.first(), spans.last()) {
        (Some(first), _) if first.start != 0 => Err(Fault::wheel(
            "the archive has bytes before its first member",
        )),
        (_, Some(last)) if last.end > directory => Err(Fault::member(
            &last.path,
            "it overlaps the archive's list of members",
        )),
        _ => Ok(()),
    }
}
