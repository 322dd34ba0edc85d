//! A reader that ends with an error, not silently, when more bytes come than there may be.

use std::io::{self, Read};

use crate::error::Error;

/// Refuses what unpacks to more than `limit` bytes.
pub(crate) struct Limited<R> {
    reader: R,
    limit: u64,
    left: u64,
}

impl<R> Limited<R> {
    pub(crate) fn new(reader: R, limit: u64) -> Self {
        Self {
            reader,
            limit,
            left: limit,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other(Error::TooLarge { limit: self.limit }))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_bomb() {
        let mut reader = Limited::new(io::repeat(0).take(100), 10);
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        insta::assert_snapshot!(error.to_string(), @"it unpacks to more than 10 B");
    }

    #[test]
    fn ok_up_to_the_limit() {
        let mut reader = Limited::new(io::repeat(0).take(10), 10);
        assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), 10);
    }
}
