//! Streams that end soon after the user asks to stop.

use std::io::{self, Write};

use factory_base::run::Cancel;

/// Ends a long stream soon after the user asks to stop.
pub(crate) struct Interruptible<'a, W: Write + ?Sized> {
    pub(crate) cancel: &'a dyn Cancel,
    pub(crate) inner: &'a mut W,
}

impl<W: Write + ?Sized> Write for Interruptible<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.cancel.is_interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        self.inner.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
