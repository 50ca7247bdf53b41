//! Where a trace comes from: a file or standard input, plain, gzip or zstd, told apart by the first bytes.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A trace that is open, as a reader of its decompressed bytes.
pub struct Source {
    /// The file name, or `-` for standard input.
    pub name: String,
    /// How it is compressed.
    pub compression: Compression,
    /// Bytes of the file as it is stored, when that is known.
    pub length: Option<u64>,
    /// Bytes of them read so far: what a progress bar follows.
    pub taken: Arc<AtomicU64>,
    reader: Box<dyn Read + Send>,
}

/// How a trace is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip, one member or several.
    Gzip,
    /// Zstandard, one frame or several.
    Zstd,
}

impl Source {
    /// Opens a file, or standard input for `-`.
    pub fn open(path: &Path) -> io::Result<Source> {
        if path == Path::new("-") {
            return Source::new("-".into(), None, io::stdin());
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        // A pipe has no length worth showing.
        Source::new(name, about.is_file().then_some(about.len()), file)
    }

    fn new(name: String, length: Option<u64>, stored: impl Read + Send + 'static) -> io::Result<Source> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut stored = BufReader::with_capacity(BUFFER, Counted { inner: stored, taken: taken.clone() });
        let mut magic = Vec::new();
        stored.by_ref().take(4).read_to_end(&mut magic)?;
        let compression = match magic[..] {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
            _ => Compression::Plain,
        };
        let stored = BufReader::with_capacity(BUFFER, Cursor::new(magic).chain(stored));
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(stored),
            Compression::Gzip => Box::new(MultiGzDecoder::new(stored)),
            Compression::Zstd => Box::new(ZstdReader::new(stored)),
        };
        Ok(Source { name, compression, length, taken, reader })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Compression {
    /// As it is told to a person.
    pub fn name(self) -> &'static str {
        match self {
            Compression::Plain => "plain",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

const BUFFER: usize = 64 << 10;

/// Zstandard frames one after the other, each with its checksum checked, skippable frames passed over (RFC 8878).
struct ZstdReader<R> {
    stored: R,
    decoder: FrameDecoder,
    /// The decoder is inside a frame.
    begun: bool,
}

impl<R: Read> ZstdReader<R> {
    fn new(stored: R) -> ZstdReader<R> {
        ZstdReader { stored, decoder: FrameDecoder::new(), begun: false }
    }

    /// Begins the next frame; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let mut first = [0];
            if self.stored.read(&mut first)? == 0 {
                return Ok(false);
            }
            match self.decoder.init(&mut (&first[..]).chain(&mut self.stored)) {
                Ok(()) => {
                    self.begun = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut self.stored.by_ref().take(u64::from(length)), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.begun = false;
        let (told, is) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if told.is_some() && told != is {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of a zstd frame is wrong"));
        }
        Ok(())
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.begun && !self.begin()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.stored, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            }
            let length = self.decoder.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            self.end()?;
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;

    use super::*;

    fn read(stored: &[u8]) -> (Compression, Result<Vec<u8>, String>) {
        let mut source = Source::new("t".into(), None, Cursor::new(stored.to_vec())).unwrap();
        let mut bytes = Vec::new();
        let outcome = source.read_to_end(&mut bytes).map(|_| bytes).map_err(|error| error.to_string());
        (source.compression, outcome)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn the_first_bytes_tell_the_compression() {
        let text: Vec<u8> = (0..400_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for plain in [&b""[..], b"a", b"a\nb", &text] {
            assert_eq!(read(plain), (Compression::Plain, Ok(plain.to_vec())));
            assert_eq!(read(&gzip(plain)), (Compression::Gzip, Ok(plain.to_vec())));
            assert_eq!(read(&zstd(plain)), (Compression::Zstd, Ok(plain.to_vec())));
            let twice = [plain, plain].concat();
            assert_eq!(read(&[gzip(plain), gzip(plain)].concat()), (Compression::Gzip, Ok(twice.clone())));
            let skipped = [&[0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
            let frames = [&skipped[..], &zstd(plain), &skipped, &zstd(plain), &skipped].concat();
            assert_eq!(read(&frames), (Compression::Zstd, Ok(twice)));
        }
    }

    #[test]
    fn what_is_cut_or_broken_is_an_error() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for stored in [gzip(&text), zstd(&text)] {
            for length in [5, 12, stored.len() / 2, stored.len() - 1] {
                assert!(read(&stored[..length]).1.is_err(), "cut at {length}");
            }
            let mut turned = stored.clone();
            let middle = turned.len() / 2;
            turned[middle] ^= 0x10;
            assert_ne!(read(&turned).1, Ok(text.clone()));
            assert!(read(&[&stored[..], b"more"].concat()).1.is_err(), "something follows");
        }
    }
}
