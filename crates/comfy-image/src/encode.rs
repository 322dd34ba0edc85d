//! Encodes a stream on several threads, into the same bytes for any number of them.
//!
//! The stream is cut into pieces of one size, and each is a frame or a member of its own: both
//! formats allow their concatenation (RFC 8878, section 3; RFC 1952, section 2.2).
//!
//! **Invariant**: the bytes depend on the input, [`PIECE_BYTES`], the levels and the versions of
//! the two encoders, and on nothing else. Changing one changes the digest of every pushed blob.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::compression::Compression;
use crate::error::Error;
use crate::parallel::join;

/// Four windows of zstd at this level, so that hardly a match is lost at a border.
const PIECE_BYTES: usize = 8 << 20;
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;
/// gzip's own default.
const GZIP_LEVEL: u32 = 6;

/// A piece, and where its encoded form is to be sent to.
type Job = (Vec<u8>, SyncSender<io::Result<Vec<u8>>>);

/// Encodes what `produce` writes, on `jobs` threads, and writes the result to `out`.
///
/// # Errors
/// `produce` fails, or `out` takes no more.
pub fn encode(
    compression: Compression,
    jobs: NonZeroUsize,
    produce: impl FnOnce(&mut dyn Write) -> Result<(), Error> + Send,
    out: &mut dyn Write,
) -> Result<(), Error> {
    encode_pieces(PIECE_BYTES, compression, jobs, produce, out)
}

fn encode_pieces(
    piece_bytes: usize,
    compression: Compression,
    jobs: NonZeroUsize,
    produce: impl FnOnce(&mut dyn Write) -> Result<(), Error> + Send,
    out: &mut dyn Write,
) -> Result<(), Error> {
    // A rendezvous with a thread, and as many results as threads, bound what is in memory.
    let (job_sender, job_receiver) = sync_channel::<Job>(0);
    let job_receiver = Mutex::new(job_receiver);
    thread::scope(|scope| {
        let (order, results) = sync_channel::<Receiver<io::Result<Vec<u8>>>>(jobs.get());
        let jobs_of = &job_receiver;
        let mut workers = Vec::new();
        for _ in 0..jobs.get() {
            workers.push(scope.spawn(move || {
                loop {
                    // Held while it waits, released with the piece in hand.
                    let next = jobs_of.lock().map(|jobs| jobs.recv());
                    let Ok(Ok((piece, result))) = next else {
                        return;
                    };
                    result.send(encode_piece(compression, &piece)).unwrap_or(());
                }
            }));
        }
        let producer = scope.spawn(move || {
            let mut cutter = Cutter {
                piece: Vec::with_capacity(piece_bytes),
                piece_bytes,
                jobs: job_sender,
                order,
            };
            produce(&mut cutter)?;
            cutter.finish()
        });
        let written = write_all(results, out);
        let produced = join(producer);
        workers.into_iter().for_each(join);
        written.and(produced)
    })
}

fn write_all(
    results: Receiver<Receiver<io::Result<Vec<u8>>>>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    for result in results {
        let encoded = result.recv().map_err(|_| Error::Stopped)?;
        encoded
            .and_then(|bytes| out.write_all(&bytes))
            .map_err(|source| Error::Output { source })?;
    }
    Ok(())
}

/// Cuts a stream into pieces and hands them out.
struct Cutter {
    piece: Vec<u8>,
    /// The size of all but the last.
    piece_bytes: usize,
    jobs: SyncSender<Job>,
    order: SyncSender<Receiver<io::Result<Vec<u8>>>>,
}

impl Cutter {
    fn hand_out(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(self.piece_bytes));
        let (sender, receiver) = sync_channel(1);
        let closed = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.order.send(receiver).map_err(|_| closed(()))?;
        self.jobs.send((piece, sender)).map_err(|_| closed(()))
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.hand_out().map_err(|source| Error::Output { source })
    }
}

impl Write for Cutter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_bytes = bytes.len().min(self.piece_bytes - self.piece.len());
        self.piece.extend_from_slice(&bytes[..n_bytes]);
        if self.piece.len() == self.piece_bytes {
            self.hand_out()?;
        }
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn encode_piece(compression: Compression, piece: &[u8]) -> io::Result<Vec<u8>> {
    match compression {
        Compression::Zstd => {
            let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
            compressor.include_checksum(true)?;
            compressor.compress(piece)
        }
        Compression::Gzip => {
            // No name, no time; the system is "unknown", or it would be the builder's.
            let mut encoder = flate2::GzBuilder::new()
                .operating_system(255)
                .write(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
            encoder.write_all(piece)?;
            encoder.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::digest::Digest;

    /// Text that compresses, with numbers that do not repeat.
    fn sample(n_bytes: usize) -> Vec<u8> {
        let lines = (0u64..).flat_map(|number| {
            format!(
                "{:x} lib/python3.14t/site-packages\n",
                number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            )
            .into_bytes()
        });
        lines.take(n_bytes).collect()
    }

    fn encoded(
        piece_bytes: usize,
        compression: Compression,
        jobs: usize,
        bytes: &[u8],
        step: usize,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let produce = |writer: &mut dyn Write| {
            for part in bytes.chunks(step) {
                writer
                    .write_all(part)
                    .map_err(|source| Error::Output { source })?;
            }
            Ok(())
        };
        encode_pieces(
            piece_bytes,
            compression,
            NonZeroUsize::new(jobs).unwrap(),
            produce,
            &mut out,
        )
        .unwrap();
        out
    }

    #[test]
    fn ok_the_same_bytes_on_1_2_and_16_threads_and_read_by_others() {
        const PIECE: usize = 1 << 17;
        for n_bytes in [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 77] {
            let bytes = sample(n_bytes);
            for compression in [Compression::Zstd, Compression::Gzip] {
                let one = encoded(PIECE, compression, 1, &bytes, 1 << 12);
                for (jobs, step) in [(2, 1 << 12), (16, 1 << 12), (16, 99_991)] {
                    assert!(
                        encoded(PIECE, compression, jobs, &bytes, step) == one,
                        "{compression:?} {n_bytes} {jobs}"
                    );
                }
                let mut back = Vec::new();
                match compression {
                    Compression::Zstd => back = zstd::decode_all(&one[..]).unwrap(),
                    Compression::Gzip => {
                        flate2::read::MultiGzDecoder::new(&one[..])
                            .read_to_end(&mut back)
                            .unwrap();
                    }
                }
                assert!(back == bytes, "{compression:?} {n_bytes}");
            }
        }
    }

    #[test]
    fn ok_the_bytes_are_those_of_every_earlier_release() {
        let bytes = sample(PIECE_BYTES + 1000);
        let digest =
            |compression| Digest::of(&encoded(PIECE_BYTES, compression, 3, &bytes, 1 << 18));
        // A change here changes the digest of every blob that was ever pushed.
        insta::assert_snapshot!(format!(
            "zstd {}\ngzip {}",
            digest(Compression::Zstd),
            digest(Compression::Gzip)
        ), @"
        zstd sha256:33790b95f2fef498fc57a36ff8ae41e288278ebdf22ca8c95cc6c12bfd9a4edc
        gzip sha256:4857003e0e125c2c39da15f9768c04212a29952d540e79213cd28b7c2c99f9cb
        ");
    }

    #[test]
    fn err_neither_side_waits_for_ever() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes = sample(6 * PIECE_BYTES);
        let produce = |writer: &mut dyn Write| {
            writer
                .write_all(&bytes)
                .map_err(|source| Error::Output { source })
        };
        let two = NonZeroUsize::new(2).unwrap();
        let error = encode(Compression::Zstd, two, produce, &mut Closed).unwrap_err();
        assert!(error.is_closed_pipe());

        let fails = |_: &mut dyn Write| Err(Error::Terminal);
        let error = encode(Compression::Zstd, two, fails, &mut Vec::new());
        assert!(matches!(error, Err(Error::Terminal)));
    }
}
