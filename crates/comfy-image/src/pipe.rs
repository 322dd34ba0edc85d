//! Overlaps reading, hashing and writing over a fixed set of buffers.

use std::fs::File;
use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use crate::digest::{Digest, Hasher};
use crate::error::Error;
use crate::parallel::join;

/// Small enough that what was read is still in the cache when it is hashed.
const BUFFER_BYTES: usize = 256 << 10;
/// Read-ahead: what may be read and not yet written.
const N_BUFFERS: usize = 8;

/// Is handed from reader to hasher to writer, and back to the reader.
struct Buffer {
    bytes: Vec<u8>,
    n_bytes: usize,
}

impl Buffer {
    fn new() -> Self {
        Self {
            bytes: vec![0; BUFFER_BYTES],
            n_bytes: 0,
        }
    }

    fn filled(&self) -> &[u8] {
        &self.bytes[..self.n_bytes]
    }
}

enum Message {
    Chunk(Buffer),
    /// The source is complete; a channel that closes without it was cut.
    End,
}

/// Collects a byte stream into buffers and sends the full ones off.
pub(crate) struct ChunkWriter {
    buffer: Buffer,
    full: SyncSender<Message>,
    free: Receiver<Buffer>,
}

impl ChunkWriter {
    /// Appends bytes from memory.
    pub(crate) fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let room = &mut self.buffer.bytes[self.buffer.n_bytes..];
            let n_bytes = room.len().min(bytes.len());
            room[..n_bytes].copy_from_slice(&bytes[..n_bytes]);
            bytes = &bytes[n_bytes..];
            self.advance(n_bytes)?;
        }
        Ok(())
    }

    /// Appends exactly `n_bytes` of a file, and says whether the file has that size.
    pub(crate) fn put_file(
        &mut self,
        file: &mut File,
        n_bytes: u64,
    ) -> Result<std::io::Result<bool>, Error> {
        let mut n_left = n_bytes;
        loop {
            let room = &mut self.buffer.bytes[self.buffer.n_bytes..];
            // One more byte is asked for, to notice a file that grew: a short read is its end.
            let wanted = usize::try_from(n_left.saturating_add(1)).unwrap_or(usize::MAX);
            let n_asked = room.len().min(wanted);
            match file.read(&mut room[..n_asked]) {
                Ok(0) => return Ok(Ok(n_left == 0)),
                Ok(n_read) if n_read as u64 > n_left => return Ok(Ok(false)),
                Ok(n_read) => {
                    n_left -= n_read as u64;
                    self.advance(n_read)?;
                    if n_left == 0 && n_read < n_asked {
                        return Ok(Ok(true));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn advance(&mut self, n_bytes: usize) -> Result<(), Error> {
        self.buffer.n_bytes += n_bytes;
        if self.buffer.n_bytes == BUFFER_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let mut free = self.free.recv().map_err(|_| Error::Stopped)?;
        free.n_bytes = 0;
        let full = std::mem::replace(&mut self.buffer, free);
        self.full
            .send(Message::Chunk(full))
            .map_err(|_| Error::Stopped)
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.buffer.n_bytes > 0 {
            self.flush()?;
        }
        self.full.send(Message::End).map_err(|_| Error::Stopped)
    }
}

/// Hashes what `produce` writes.
pub(crate) fn hash(
    produce: impl FnOnce(&mut ChunkWriter) -> Result<(), Error> + Send,
) -> Result<(Digest, u64), Error> {
    thread::scope(|scope| {
        let (full_sender, full) = sync_channel(N_BUFFERS);
        let (free, free_receiver) = free_buffers();
        let producer = scope.spawn(|| run(produce, full_sender, free_receiver));
        let mut hasher = Hasher::default();
        for message in full {
            if let Message::Chunk(buffer) = message {
                hasher.update(buffer.filled());
                recycle(&free, buffer);
            }
        }
        drop(free);
        join(producer)?;
        Ok(hasher.finish())
    })
}

/// Sends what `produce` writes to `out`, and hashes it on the way.
///
/// The last buffer is held back until `verify` has agreed to the digest, so that
/// a reader can never take a wrong stream for a complete one.
pub(crate) fn copy(
    produce: impl FnOnce(&mut ChunkWriter) -> Result<(), Error> + Send,
    verify: impl FnOnce(Digest, u64) -> Result<(), Error> + Send,
    out: &mut dyn Write,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    thread::scope(|scope| {
        let (full_sender, full) = sync_channel(N_BUFFERS);
        let (hashed_sender, hashed) = sync_channel(N_BUFFERS);
        let (free, free_receiver) = free_buffers();
        let producer = scope.spawn(|| run(produce, full_sender, free_receiver));
        let hasher = scope.spawn(|| check(full, hashed_sender, verify));
        let written = write_all(hashed, free, out, progress);
        let (produced, checked) = (join(producer), join(hasher));
        // The writer's failure stops the others, and the producer's the hasher.
        written.and(produced).and(checked)
    })
}

fn run(
    produce: impl FnOnce(&mut ChunkWriter) -> Result<(), Error>,
    full: SyncSender<Message>,
    free: Receiver<Buffer>,
) -> Result<(), Error> {
    let mut writer = ChunkWriter {
        buffer: Buffer::new(),
        full,
        free,
    };
    produce(&mut writer)?;
    writer.finish()
}

fn check(
    full: Receiver<Message>,
    hashed: SyncSender<Buffer>,
    verify: impl FnOnce(Digest, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut hasher = Hasher::default();
    let mut held = None;
    for message in full {
        match message {
            Message::Chunk(buffer) => {
                hasher.update(buffer.filled());
                if let Some(previous) = held.replace(buffer) {
                    hashed.send(previous).map_err(|_| Error::Stopped)?;
                }
            }
            Message::End => {
                let (digest, n_bytes) = hasher.finish();
                verify(digest, n_bytes)?;
                return match held {
                    Some(last) => hashed.send(last).map_err(|_| Error::Stopped),
                    None => Ok(()),
                };
            }
        }
    }
    Err(Error::Stopped)
}

fn write_all(
    hashed: Receiver<Buffer>,
    free: Sender<Buffer>,
    out: &mut dyn Write,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    for buffer in hashed {
        out.write_all(buffer.filled())
            .map_err(|source| Error::Output { source })?;
        progress(buffer.n_bytes as u64);
        recycle(&free, buffer);
    }
    Ok(())
}

/// Gives a buffer back; a reader that has finished needs none.
fn recycle(free: &Sender<Buffer>, buffer: Buffer) {
    free.send(buffer).unwrap_or(());
}

fn free_buffers() -> (Sender<Buffer>, Receiver<Buffer>) {
    let (sender, receiver) = channel();
    for _ in 1..N_BUFFERS {
        recycle(&sender, Buffer::new());
    }
    (sender, receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::io;

    fn produce(n_bytes: usize) -> impl Fn(&mut ChunkWriter) -> Result<(), Error> {
        move |writer| writer.put(&vec![7; n_bytes])
    }

    #[test]
    fn ok_every_size_arrives() {
        for n_bytes in [
            0,
            1,
            BUFFER_BYTES - 1,
            BUFFER_BYTES,
            BUFFER_BYTES + 1,
            20 * BUFFER_BYTES + 3,
        ] {
            let expected = (Digest::of(&vec![7; n_bytes]), n_bytes as u64);
            let mut out = Vec::new();
            let counted = Cell::new(0);
            let verify = |digest, n_bytes| {
                assert_eq!((digest, n_bytes), expected);
                Ok(())
            };
            copy(produce(n_bytes), verify, &mut out, &|n| {
                counted.set(counted.get() + n)
            })
            .unwrap();
            assert_eq!(out, vec![7; n_bytes]);
            assert_eq!(counted.get(), n_bytes as u64);
            assert_eq!(hash(produce(n_bytes)).unwrap(), expected);
        }
    }

    #[test]
    fn ok_file_of_another_size_is_noticed() {
        for n_bytes in [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&vec![7; n_bytes]).unwrap();
            for (expected, is_right) in [
                (n_bytes, true),
                (n_bytes + 1, false),
                (n_bytes.wrapping_sub(1), false),
            ] {
                let produce = |writer: &mut ChunkWriter| {
                    let mut file = File::open(file.path()).unwrap();
                    let found = writer.put_file(&mut file, expected as u64)?;
                    assert_eq!(found.unwrap(), is_right, "{n_bytes} {expected}");
                    Ok(())
                };
                let (digest, _) = hash(produce).unwrap();
                assert_eq!(
                    digest == Digest::of(&vec![7; n_bytes]),
                    is_right || expected > n_bytes
                );
            }
        }
    }

    #[test]
    fn err_wrong_digest_cuts_the_stream() {
        for n_bytes in [1, BUFFER_BYTES, 3 * BUFFER_BYTES] {
            let mut out = Vec::new();
            let error = copy(
                produce(n_bytes),
                |_, _| Err(Error::Terminal),
                &mut out,
                &|_| (),
            );
            assert!(matches!(error, Err(Error::Terminal)));
            assert!(out.len() < n_bytes);
        }
    }

    #[test]
    fn err_source_fails_before_its_end() {
        let mut out = Vec::new();
        let produce = |writer: &mut ChunkWriter| {
            writer.put(&[7; 10])?;
            Err(Error::Terminal)
        };
        let error = copy(produce, |_, _| Ok(()), &mut out, &|_| ());
        assert!(matches!(error, Err(Error::Terminal)));
        assert!(out.is_empty());
        assert!(matches!(hash(produce), Err(Error::Terminal)));
    }

    #[test]
    fn err_closed_pipe_stops_everything() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = copy(
            produce(50 * BUFFER_BYTES),
            |_, _| Ok(()),
            &mut Closed,
            &|_| (),
        );
        assert!(error.unwrap_err().is_closed_pipe());
    }
}
