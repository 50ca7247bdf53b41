//! Reading a snapshot again, a block at a time, and finding the newest that is whole.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use vitrine_engine::codec::snapshot::{Decoder, Footer, HEADER, Header, SnapshotError, Step};
use vitrine_engine::record::Record;

use super::{Named, list};

/// A snapshot that is being read: a block of records each time, until it is known to be whole.
#[derive(Debug)]
pub struct Reading {
    file: File,
    decoder: Decoder,
    buffer: Vec<u8>,
    footer: Option<Footer>,
    read: u64,
}

/// What a whole snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Where it is.
    pub path: PathBuf,
    /// At its beginning.
    pub header: Header,
    /// At its end.
    pub footer: Footer,
    /// Its size.
    pub bytes: u64,
}

/// Why a file is not read.
#[derive(Debug)]
pub enum ReadError {
    /// The system does not give it.
    Io(io::Error),
    /// It is no whole snapshot.
    Content(SnapshotError),
}

impl Reading {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Reading, ReadError> {
        let file = File::open(path).map_err(ReadError::Io)?;
        let mut buffer = Vec::with_capacity(HEADER);
        (&file).take(HEADER as u64).read_to_end(&mut buffer).map_err(ReadError::Io)?;
        let decoder = Decoder::new(&buffer).map_err(ReadError::Content)?;
        let read = buffer.len() as u64;
        Ok(Reading { file, decoder, buffer, footer: None, read })
    }

    /// What it says at its beginning.
    pub fn header(&self) -> &Header {
        self.decoder.header()
    }

    /// What it says at its end, once that was read: then it is whole.
    pub fn footer(&self) -> Option<&Footer> {
        self.footer.as_ref()
    }

    /// Bytes that were read so far.
    pub fn bytes(&self) -> u64 {
        self.read
    }

    /// The next block; `None` at the end.
    pub fn block(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        loop {
            // At the end one byte more is asked for: there must be none.
            let wants = self.decoder.wants().max(1) as u64;
            self.buffer.clear();
            // No more is set aside than what comes: the length may be a lie.
            (&self.file).take(wants).read_to_end(&mut self.buffer).map_err(ReadError::Io)?;
            self.read += self.buffer.len() as u64;
            match self.decoder.feed(&self.buffer).map_err(ReadError::Content)? {
                Step::More if self.footer.is_some() => return Ok(None),
                Step::More => {}
                Step::Block(records) => return Ok(Some(records)),
                Step::End(footer) => self.footer = Some(footer),
            }
        }
    }
}

/// Reads all of a file, and hands out what is in it, a block at a time, with the bytes that were read so far. When it
/// fails, some may have been handed out.
pub fn read(path: &Path, each: &mut impl FnMut(Vec<Record>, u64)) -> Result<Whole, ReadError> {
    let mut reading = Reading::open(path)?;
    while let Some(records) = reading.block()? {
        each(records, reading.bytes());
    }
    let footer = *reading.footer().expect("the last block is behind the footer");
    Ok(Whole { path: path.to_owned(), header: *reading.header(), footer, bytes: reading.bytes() })
}

/// Reads all of a file only to know that it is whole.
pub fn whole(path: &Path) -> Result<Whole, ReadError> {
    read(path, &mut |_, _| {})
}

/// The newest snapshot of a folder that is whole. `passed` is asked about newer ones that are not: may they be passed
/// over? `at` is told how many bytes of a file were read.
pub fn newest<E: From<io::Error>>(
    folder: &Path,
    passed: &mut impl FnMut(&Named, ReadError) -> Result<(), E>,
    at: &mut impl FnMut(u64),
) -> Result<Option<Whole>, E> {
    for named in list(folder)? {
        match read(&named.path, &mut |_, bytes| at(bytes)) {
            Ok(whole) => return Ok(Some(whole)),
            Err(error) => passed(&named, error)?,
        }
    }
    Ok(None)
}

impl ReadError {
    /// Has a later version of Vitrine written the file?
    pub fn is_newer(&self) -> bool {
        matches!(self, ReadError::Content(error) if error.is_newer())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io(error) => error.fmt(f),
            ReadError::Content(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}
