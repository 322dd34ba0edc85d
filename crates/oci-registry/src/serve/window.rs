//! The part of a stream that a client asked for.

use std::io::{self, Write};

/// Passes on the bytes from one to the one before another, and then ends the stream.
pub(super) struct Window<'w> {
    out: &'w mut dyn Write,
    n_to_skip: u64,
    n_left: u64,
    /// Told of the bytes that went out.
    sent: &'w dyn Fn(u64),
}

impl<'w> Window<'w> {
    pub(super) fn new(out: &'w mut dyn Write, from: u64, to: u64, sent: &'w dyn Fn(u64)) -> Self {
        Self {
            out,
            n_to_skip: from,
            n_left: to.saturating_sub(from),
            sent,
        }
    }

    /// All that was asked for went out.
    pub(super) fn is_complete(&self) -> bool {
        self.n_left == 0
    }
}

impl Write for Window<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.n_left == 0 && !buffer.is_empty() {
            // Whoever writes need not go on to the end.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let length = buffer.len() as u64;
        let n_skipped = self.n_to_skip.min(length);
        let n_taken = self.n_left.min(length - n_skipped);
        let range = clamp(n_skipped)..clamp(n_skipped + n_taken);
        self.out.write_all(&buffer[range])?;
        self.n_to_skip -= n_skipped;
        self.n_left -= n_taken;
        (self.sent)(n_taken);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What is at most the length of a slice.
fn clamp(n_bytes: u64) -> usize {
    usize::try_from(n_bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ok_any_slice_of_any_chunks(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9), from in 0..60_usize, length in 0..60_usize) {
            let whole: Vec<u8> = chunks.concat();
            let (from, to) = (from.min(whole.len()), (from + length).min(whole.len()));
            let counted = std::cell::Cell::new(0);
            let sent = |n| counted.set(counted.get() + n);
            let mut out = Vec::new();
            let mut window = Window::new(&mut out, from as u64, to.max(from) as u64, &sent);
            for chunk in &chunks {
                if window.write_all(chunk).is_err() {
                    prop_assert!(window.is_complete());
                    break;
                }
            }
            prop_assert!(window.is_complete());
            prop_assert_eq!(&out, &whole[from..to.max(from)]);
            prop_assert_eq!(counted.get(), out.len() as u64);
        }
    }
}
