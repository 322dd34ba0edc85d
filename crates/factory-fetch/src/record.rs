//! The list of a wheel's files, read from a server that sends parts of files: a few requests
//! for the end of the archive and for its RECORD, however large the wheel is.
//!
//! What comes is no input of the wheel's SHA-256, so a mirror could lie. Whoever uses it
//! compares the files themselves before one takes the place of another.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use factory_base::{error, fs};
use factory_model::lock::Sha256;
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};
use ureq::http::{StatusCode, header};

use crate::Context;
use crate::http::{Http, Request, redacted};
use crate::retry::retry;

/// The end of most archives, with the whole list of members, is shorter.
const END: u64 = 64 << 10;
/// No part that is asked for at once is larger.
const MAX_PART: u64 = 4 << 20;
/// From a server that sends whole files only, no larger one is taken.
const MAX_WHOLE: u64 = 16 << 20;
/// The largest RECORD seen is 2 MB.
const MAX_RECORD: u64 = 64 << 20;

/// A wheel on a server.
#[derive(Debug, Clone)]
pub struct RemoteWheel {
    /// Its file name, for messages.
    pub file: String,
    /// The whole URL.
    pub url: String,
    /// Its size in bytes, where the index says it.
    pub size: Option<u64>,
    /// Hash of the whole wheel: what is read is kept under it.
    pub sha256: Sha256,
}

/// A file of a wheel, as RECORD has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordEntry {
    /// Path in the archive.
    pub path: String,
    /// Algorithm and URL-safe base64: `sha256=2rqD…`.
    pub hash: String,
    /// Size in bytes.
    pub size: u64,
}

impl RemoteWheel {
    /// The files of the wheel that RECORD has with hash and size: all but RECORD itself and
    /// signatures. Asked for once; then the directory `cache` has it.
    ///
    /// # Errors
    /// The server does not answer or sends no parts, or this is no wheel.
    pub fn record(&self, ctx: &dyn Context, http: &Http, cache: &Path) -> Result<Vec<RecordEntry>> {
        if let Some(entries) = self.kept(cache) {
            return Ok(entries);
        }
        if ctx.is_offline() {
            return Err(error::environment(format!(
                "the list of files of `{}` is not known here, and `--offline` forbids to ask",
                self.file
            ))
            .into());
        }
        let read = || -> Result<(String, Vec<RecordEntry>)> {
            let parts = self.open(ctx, http)?;
            let text = record_of(parts)?;
            let entries = parse(&text)?;
            Ok((text, entries))
        };
        let (text, entries) = read().with_context(|| {
            error::environment(format!("cannot read the list of files of `{}`", self.file))
        })?;
        let kept = self.cache_file(cache);
        if let Some(directory) = kept.parent() {
            fs_err::create_dir_all(directory)?;
        }
        fs::write_atomic(&kept, text.as_bytes())?;
        Ok(entries)
    }

    /// The same, when the directory `cache` has it.
    pub fn kept(&self, cache: &Path) -> Option<Vec<RecordEntry>> {
        let text = fs_err::read_to_string(self.cache_file(cache)).ok()?;
        parse(&text).ok()
    }

    fn cache_file(&self, cache: &Path) -> PathBuf {
        cache.join("records").join(self.sha256.to_string())
    }

    fn open<'a>(&'a self, ctx: &'a dyn Context, http: &'a Http) -> Result<Parts<'a>> {
        let size = match self.size {
            Some(size) => size,
            None => self.ask_size(ctx, http)?,
        };
        let fetch = move |from: u64, length: u64| self.part(ctx, http, size, from, length);
        Parts::new(size, fetch)
    }

    fn ask_size(&self, ctx: &dyn Context, http: &Http) -> Result<u64> {
        let request = Request {
            head: true,
            ..Request::default()
        };
        let response = retry(ctx, &redacted(&self.url), || {
            Ok(http.send(&self.url, request)?)
        })?;
        response
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .ok_or_else(|| error::environment("the server does not say how large it is").into())
    }

    /// Some bytes, and the place of the first of them: that asked for, or 0 from a server that
    /// sends whole files.
    fn part(
        &self,
        ctx: &dyn Context,
        http: &Http,
        size: u64,
        from: u64,
        length: u64,
    ) -> Result<(u64, Vec<u8>)> {
        ctx.check_interrupted()?;
        let request = Request {
            part: Some((from, length)),
            ..Request::default()
        };
        let bytes = retry(ctx, &redacted(&self.url), || {
            let mut response = http.send(&self.url, request)?;
            let (from, length) = match response.status() {
                StatusCode::PARTIAL_CONTENT => (from, length),
                StatusCode::OK if size <= MAX_WHOLE => (0, size),
                status => {
                    let text = format!("the server sends no parts of files (it answers {status})");
                    return Err(anyhow::Error::from(error::environment(text)).into());
                }
            };
            let bytes = response
                .body_mut()
                .with_config()
                .limit(length + 1)
                .read_to_vec()
                .map_err(|source| crate::http::transport_error(&source))?;
            if bytes.len() as u64 != length {
                let text = format!("{} bytes came, {length} were asked for", bytes.len());
                return Err(crate::http::RequestError::transient(text).into());
            }
            Ok((from, bytes))
        })?;
        Ok(bytes)
    }
}

/// Asks for a part: where it begins, and how many bytes; gives where what came begins, and it.
type Fetch<'a> = Box<dyn FnMut(u64, u64) -> Result<(u64, Vec<u8>)> + 'a>;

/// A remote file that can be read and sought in. It holds the end and one other part.
struct Parts<'a> {
    fetch: Fetch<'a>,
    size: u64,
    at: u64,
    end: Part,
    other: Part,
}

#[derive(Default)]
struct Part {
    from: u64,
    bytes: Vec<u8>,
}

impl Part {
    fn to(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }

    /// What it has from a place on.
    fn after(&self, at: u64) -> &[u8] {
        let skipped = at.checked_sub(self.from).map(usize::try_from);
        match skipped {
            Some(Ok(skipped)) => self.bytes.get(skipped..).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl<'a> Parts<'a> {
    fn new(
        size: u64,
        mut fetch: impl FnMut(u64, u64) -> Result<(u64, Vec<u8>)> + 'a,
    ) -> Result<Self> {
        let length = size.min(END);
        let (from, bytes) = fetch(size - length, length)?;
        Ok(Self {
            fetch: Box::new(fetch),
            size,
            at: 0,
            end: Part { from, bytes },
            other: Part::default(),
        })
    }

    /// The part before the end that begins at the current place.
    fn advance(&mut self) -> Result<()> {
        // A long list of members is read from one end to the other.
        let length = if self.at == self.other.to() {
            (2 * self.other.bytes.len() as u64).clamp(END, MAX_PART)
        } else {
            END
        };
        let length = length.min(self.end.from - self.at);
        let (from, bytes) = (self.fetch)(self.at, length)?;
        self.other = Part { from, bytes };
        Ok(())
    }
}

impl Read for Parts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at < self.end.from && self.other.after(self.at).is_empty() {
            self.advance().map_err(io::Error::other)?;
        }
        let part = if self.at < self.end.from {
            &self.other
        } else {
            &self.end
        };
        let found = part.after(self.at);
        let length = found.len().min(buffer.len());
        buffer[..length].copy_from_slice(&found[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Parts<'_> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let at = match target {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// The text of a wheel's RECORD.
fn record_of(wheel: impl Read + Seek) -> Result<String> {
    let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_seekable(wheel, &mut buffer)?;
    let mut members = archive.entries(&mut buffer);
    let mut found = Vec::new();
    while let Some(member) = members.next_entry()? {
        if is_record(member.file_path().as_bytes()) {
            found.push((member.wayfinder(), member.compression_method()));
        }
    }
    let [(place, method)] = found.as_slice() else {
        return Err(error::environment("the archive has not one RECORD").into());
    };
    let member = archive.get_entry(*place)?;
    let packed = member.reader();
    let unpacked: Box<dyn Read> = match *method {
        CompressionMethod::STORE => Box::new(packed),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(packed)),
        other => {
            let text = format!("its RECORD is packed by method {}", other.as_u16());
            return Err(error::environment(text).into());
        }
    };
    let mut text = String::new();
    let checked = member.verifying_reader(unpacked);
    let length = checked.take(MAX_RECORD + 1).read_to_string(&mut text)?;
    if length as u64 > MAX_RECORD {
        return Err(error::environment(format!("its RECORD has over {MAX_RECORD} bytes")).into());
    }
    Ok(text)
}

/// Whether this is the path `NAME.dist-info/RECORD`.
fn is_record(path: &[u8]) -> bool {
    path.strip_suffix(b".dist-info/RECORD")
        .is_some_and(|name| !name.contains(&b'/'))
}

/// Rows of path, hash and size; rows without a hash or a size are left out.
fn parse(text: &str) -> Result<Vec<RecordEntry>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.context("its RECORD is not a table")?;
        let (Some(path), Some(hash), Some(size)) = (row.get(0), row.get(1), row.get(2)) else {
            continue;
        };
        if let (false, Ok(size)) = (hash.is_empty(), size.parse()) {
            entries.push(RecordEntry {
                path: path.to_owned(),
                hash: hash.to_owned(),
                size,
            });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves parts of some bytes and counts the requests.
    fn parts<'a>(bytes: &'a [u8], n_requests: &'a mut usize) -> Parts<'a> {
        let fetch = move |from: u64, length: u64| {
            *n_requests += 1;
            let from_usize = usize::try_from(from)?;
            let part = &bytes[from_usize..from_usize + usize::try_from(length)?];
            Ok((from, part.to_vec()))
        };
        Parts::new(bytes.len() as u64, fetch).unwrap()
    }

    #[test]
    fn ok_parts_are_the_whole() {
        let bytes: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut n_requests = 0;
        let mut all = Vec::new();
        parts(&bytes, &mut n_requests)
            .read_to_end(&mut all)
            .unwrap();
        assert!(all == bytes);
        // 64 KiB, then each twice as long, and the end.
        assert_eq!(n_requests, 7);
    }

    #[test]
    fn ok_any_place() {
        let bytes: Vec<u8> = (0..400_000_u32).map(|n| n as u8 ^ (n >> 8) as u8).collect();
        let mut n_requests = 0;
        let mut remote = parts(&bytes, &mut n_requests);
        for at in [
            0_usize, 399_999, 250_000, 65_535, 65_536, 334_463, 334_464, 1,
        ] {
            remote.seek(SeekFrom::Start(at as u64)).unwrap();
            let mut buffer = [0; 1000];
            let length = remote.read(&mut buffer).unwrap();
            assert!(length > 0);
            assert_eq!(buffer[..length], bytes[at..at + length], "{at}");
        }
        assert_eq!(remote.seek(SeekFrom::End(0)).unwrap(), 400_000);
        assert_eq!(remote.read(&mut [0; 8]).unwrap(), 0);
        assert!(remote.seek(SeekFrom::End(-400_001)).is_err());
    }

    /// An archive with these members, all packed or all stored.
    fn archive(members: &[(&str, &str)], method: CompressionMethod) -> Vec<u8> {
        use std::io::Write as _;
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for (name, text) in members {
            let file = archive.new_file(*name).compression_method(method);
            let (mut entry, config) = file.start().unwrap();
            let descriptor = if method == CompressionMethod::DEFLATE {
                let encoder =
                    flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
                let mut writer = config.wrap(encoder);
                writer.write_all(text.as_bytes()).unwrap();
                let (encoder, descriptor) = writer.finish().unwrap();
                encoder.finish().unwrap();
                descriptor
            } else {
                let mut writer = config.wrap(&mut entry);
                writer.write_all(text.as_bytes()).unwrap();
                writer.finish().unwrap().1
            };
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        bytes
    }

    #[test]
    fn ok_the_record_of_an_archive() {
        let record = "a.py,sha256=AA,1\n".repeat(5000);
        let members = [
            ("a.py", "x"),
            ("a/b.dist-info/RECORD", "not this"),
            ("x-1.dist-info/RECORD", record.as_str()),
        ];
        for method in [CompressionMethod::STORE, CompressionMethod::DEFLATE] {
            let bytes = archive(&members, method);
            let mut n_requests = 0;
            assert_eq!(
                record_of(parts(&bytes, &mut n_requests)).unwrap(),
                record,
                "{method:?}"
            );
        }
    }

    #[test]
    fn err_an_archive_without_one_record() {
        let message = |bytes: &[u8]| {
            let mut n_requests = 0;
            record_of(parts(bytes, &mut n_requests))
                .unwrap_err()
                .to_string()
        };
        let twice = [("x-1.dist-info/RECORD", "a"), ("y-1.dist-info/RECORD", "b")];
        let none = archive(&[("a.py", "x")], CompressionMethod::STORE);
        assert_eq!(message(&none), "the archive has not one RECORD");
        let two = archive(&twice, CompressionMethod::STORE);
        assert_eq!(message(&two), "the archive has not one RECORD");
        let other = archive(&twice[..1], CompressionMethod::ZSTD);
        assert_eq!(message(&other), "its RECORD is packed by method 93");
    }

    #[test]
    fn err_a_damaged_archive() {
        let text = "a.py,sha256=AA,1\n";
        let bytes = archive(&[("x-1.dist-info/RECORD", text)], CompressionMethod::STORE);
        let at = bytes
            .windows(text.len())
            .position(|window| window == text.as_bytes())
            .unwrap();
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let mut n_requests = 0;
        assert!(record_of(parts(&flipped, &mut n_requests)).is_err());
        for length in 0..bytes.len() {
            let mut n_requests = 0;
            assert!(record_of(parts(&bytes[..length], &mut n_requests)).is_err());
        }
    }

    #[test]
    fn ok_rows() {
        let text = "a.py,sha256=AA,1\r\n\"b, c.py\",sha256=BB,2\nx-1.dist-info/RECORD,,\nd.py,sha256=CC,\n";
        let entries = parse(text).unwrap();
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["a.py", "b, c.py"]);
        assert_eq!(
            (entries[1].hash.as_str(), entries[1].size),
            ("sha256=BB", 2)
        );
    }
}
