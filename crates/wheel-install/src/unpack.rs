//! Unpacks one member, and checks that it is what the archive says.

use std::io::Read as _;

use zlib_rs::{Inflate, InflateFlush, Status};

use crate::archive::{Archive, Member, Method};
use crate::error::Fault;

/// Bytes that are read at a time.
const INPUT_BYTES: usize = 64 << 10;
/// Bytes that are unpacked at a time: they stay in a processor's second cache.
const OUTPUT_BYTES: usize = 256 << 10;
/// A member that is read into memory, such as RECORD, has at most so many bytes.
const MAX_TEXT: u64 = 64 << 20;
/// The window of deflate, in bits.
const WINDOW_BITS: u8 = 15;

/// Takes the bytes of a member, part by part.
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), Fault> + 'a;

/// Buffers for one member at a time.
pub(crate) struct Unpacker {
    inflate: Inflate,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            inflate: Inflate::new(false, WINDOW_BITS),
            input: vec![0; INPUT_BYTES],
            output: vec![0; OUTPUT_BYTES],
        }
    }
}

/// The bytes of a member that is read into memory; an error if it is larger than 64 MiB.
pub(crate) fn read(archive: &Archive, member: &Member) -> Result<Vec<u8>, Fault> {
    if member.size > MAX_TEXT {
        return Err(Fault::member(&member.path, "it is larger than 64 MiB"));
    }
    let mut bytes = Vec::new();
    Unpacker::default().unpack(archive, member, &mut |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Ok(bytes)
}

/// The text of a member that is read into memory.
pub(crate) fn text(archive: &Archive, path: &str) -> Result<String, Fault> {
    let bytes = read(archive, archive.member(path)?)?;
    String::from_utf8(bytes).map_err(|_| Fault::member(path, "it is not UTF-8"))
}

/// What was handed on so far, against what the archive says.
struct Progress<'a> {
    member: &'a Member,
    crc: u32,
    left: u64,
}

impl Progress<'_> {
    fn hand_on(&mut self, part: &[u8], sink: &mut Sink<'_>) -> Result<(), Fault> {
        let Some(left) = self.left.checked_sub(part.len() as u64) else {
            return Err(self.wrong_size("more"));
        };
        self.left = left;
        self.crc = zlib_rs::crc32::crc32(self.crc, part);
        sink(part)
    }

    fn finish(&self) -> Result<(), Fault> {
        if self.left != 0 {
            return Err(self.wrong_size("fewer"));
        }
        if self.crc != self.member.crc {
            return Err(Fault::member(
                &self.member.path,
                "its checksum is not what the archive says",
            ));
        }
        Ok(())
    }

    fn wrong_size(&self, how: &str) -> Fault {
        let reason = format!(
            "it has {how} than the {} bytes that the archive says",
            self.member.size
        );
        Fault::member(&self.member.path, reason)
    }
}

impl Unpacker {
    /// Hands on the bytes of a member: no more than the archive says, whatever comes.
    pub(crate) fn unpack(
        &mut self,
        archive: &Archive,
        member: &Member,
        sink: &mut Sink<'_>,
    ) -> Result<(), Fault> {
        let unreadable = |reason: String| Fault::member(&member.path, reason);
        let entry = archive
            .zip
            .get_entry(member.place)
            .map_err(|error| unreadable(format!("it cannot be read: {error}")))?;
        let mut reader = entry.reader();
        let mut read = |input: &mut [u8]| {
            let length = reader.read(input);
            length.map_err(|error| unreadable(format!("it cannot be read: {error}")))
        };
        let mut progress = Progress {
            member,
            crc: 0,
            left: member.size,
        };
        match member.method {
            Method::Store => loop {
                let length = read(&mut self.output)?;
                if length == 0 {
                    break;
                }
                progress.hand_on(&self.output[..length], sink)?;
            },
            Method::Deflate => self.inflate(&mut read, &mut progress, sink)?,
        }
        progress.finish()
    }

    fn inflate(
        &mut self,
        read: &mut dyn FnMut(&mut [u8]) -> Result<usize, Fault>,
        progress: &mut Progress<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Fault> {
        let path = &progress.member.path;
        self.inflate.reset(false);
        let mut input = 0..0;
        loop {
            if input.is_empty() {
                input = 0..read(&mut self.input)?;
            }
            let is_end = input.is_empty();
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(
                    &self.input[input.clone()],
                    &mut self.output,
                    InflateFlush::NoFlush,
                )
                .map_err(|error| {
                    Fault::member(path, format!("it cannot be inflated: {}", error.as_str()))
                })?;
            // Neither is more than a buffer holds.
            input.start += (self.inflate.total_in() - before.0) as usize;
            let length = (self.inflate.total_out() - before.1) as usize;
            progress.hand_on(&self.output[..length], sink)?;
            if status == Status::StreamEnd {
                break;
            }
            if is_end && length == 0 {
                return Err(Fault::member(path, "it ends too early"));
            }
        }
        if !input.is_empty() || read(&mut self.input)? != 0 {
            return Err(Fault::member(path, "it has bytes behind its end"));
        }
        Ok(())
    }
}
