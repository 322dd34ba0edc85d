//! A stream whose digest is checked when it ends.

use std::io::{self, Read};

use comfy_image::Digest;
use sha2::{Digest as _, Sha256};

/// Reads a blob; its end is an error unless the bytes were those of its digest.
pub struct Verified<'a> {
    inner: &'a mut dyn Read,
    expected: Digest,
    hasher: Sha256,
    progress: &'a dyn Fn(u64),
}

impl<'a> Verified<'a> {
    /// `progress` gets the number of bytes of each read.
    pub fn new(inner: &'a mut dyn Read, expected: Digest, progress: &'a dyn Fn(u64)) -> Self {
        Self {
            inner,
            expected,
            hasher: Sha256::new(),
            progress,
        }
    }
}

impl Read for Verified<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.inner.read(buffer)?;
        if n_bytes > 0 || buffer.is_empty() {
            self.hasher.update(&buffer[..n_bytes]);
            (self.progress)(n_bytes as u64);
            return Ok(n_bytes);
        }
        let found = hex(&self.hasher.clone().finalize());
        if found == self.expected.hex() {
            return Ok(0);
        }
        let text = format!("its digest is sha256:{found}, not {}", self.expected);
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn ok_and_err_by_digest() {
        let read = |expected: &[u8]| {
            let count = Cell::new(0);
            let progress = |n_bytes| count.set(count.get() + n_bytes);
            let mut bytes = b"some bytes".as_slice();
            let mut verified = Verified::new(&mut bytes, Digest::of(expected), &progress);
            let copied = io::copy(&mut verified, &mut io::sink());
            (copied.map_err(|error| error.to_string()), count.get())
        };
        assert_eq!(read(b"some bytes"), (Ok(10), 10));
        let (copied, _) = read(b"others");
        assert!(copied.unwrap_err().starts_with("its digest is sha256:"));
    }
}
