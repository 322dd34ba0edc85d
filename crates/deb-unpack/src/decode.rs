//! Decoders of compressed streams, for other crates too: they are generic over their reader, so
//! they are compiled where they are used, and this crate is compiled with optimization.

use std::io::{self, Read};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::error::Error;

/// Decodes gzip (RFC 1952), all members of it.
pub fn gzip<'r>(stream: Box<dyn Read + 'r>) -> Box<dyn Read + 'r> {
    Box::new(flate2::read::MultiGzDecoder::new(stream))
}

/// Decodes Zstandard (RFC 8878), all frames of it: what is compressed in pieces has many.
///
/// # Errors
/// It does not begin with a frame.
pub fn zstd<'r>(mut stream: Box<dyn Read + 'r>) -> Result<Box<dyn Read + 'r>, Error> {
    let mut decoder = FrameDecoder::new();
    let bad =
        |source: ruzstd::decoding::errors::FrameDecoderError| Error::BadZstd(source.to_string());
    decoder.reset(&mut stream).map_err(bad)?;
    Ok(Box::new(Frames { decoder, stream }))
}

/// Frames one after the other.
struct Frames<'r> {
    decoder: FrameDecoder,
    stream: Box<dyn Read + 'r>,
}

impl Frames<'_> {
    /// Begins the next frame; false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        let mut first = [0; 1];
        if self.stream.read(&mut first)? == 0 {
            return Ok(false);
        }
        let rest: &mut dyn Read = &mut self.stream;
        let mut frame: Box<dyn Read + '_> = Box::new(first.as_slice().chain(rest));
        self.decoder.reset(&mut frame).map_err(io::Error::other)?;
        Ok(true)
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let wanted = BlockDecodingStrategy::UptoBytes(buffer.len());
                let decoded = self.decoder.decode_blocks(&mut self.stream, wanted);
                decoded.map_err(io::Error::other)?;
            }
            let n_bytes = self.decoder.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() || !self.next_frame()? {
                return Ok(n_bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn all(mut stream: Box<dyn Read + '_>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn ok_in_pieces() {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        let text = "some text ".repeat(50_000).into_bytes();
        let (one, two) = text.split_at(200_001);
        let frame = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
        let whole = [frame(one), frame(b""), frame(two)].concat();
        assert_eq!(all(zstd(Box::new(&*whole)).unwrap()).unwrap(), text);
        let cut = &whole[..whole.len() - 9];
        assert!(all(zstd(Box::new(cut)).unwrap()).is_err());
        assert!(zstd(Box::new(&b"no frame"[..])).is_err());

        let member = |bytes: &[u8]| {
            let level = flate2::Compression::fast();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let whole = [member(one), member(two)].concat();
        assert_eq!(all(gzip(Box::new(&*whole))).unwrap(), text);
    }
}
