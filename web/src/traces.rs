//! A trace file on its way in: its keys, in order.

use vitrine_engine::request::Key;
use vitrine_engine::trace::{Format, Parser};

/// A trace, as far as it has been read.
#[derive(Default)]
pub struct TraceFile {
    name: String,
    /// The first bytes, until there are enough of them to know the format.
    head: Vec<u8>,
    parser: Option<Parser>,
    keys: Vec<Key>,
    key_bytes: usize,
    whole: bool,
}

/// Requests that the page keeps of one trace: with their keys that is some hundreds of megabytes.
const MOST_REQUESTS: usize = 5_000_000;
/// Requests of a workload in the place of a file.
const WORKLOAD: usize = 20_000;
/// Bytes of keys that the page keeps of one trace.
const MOST_KEY_BYTES: usize = 256 << 20;

impl TraceFile {
    /// At the start of a file of that name.
    pub fn start(name: &str) -> TraceFile {
        TraceFile { name: name.into(), ..TraceFile::default() }
    }

    /// The keys of a workload.
    pub fn of(keys: impl Iterator<Item = Key>) -> TraceFile {
        let parser = Some(Parser::new(Format::Lines));
        TraceFile { parser, keys: keys.take(WORKLOAD).collect(), ..TraceFile::default() }
    }

    /// Takes the next bytes, unpacked; says how many requests have been read.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<u32, String> {
        if self.parser.is_some() {
            self.parse(bytes)?;
        } else {
            self.head.extend_from_slice(bytes);
            if self.head.len() >= Format::HEAD {
                self.begin()?;
            }
        }
        Ok(self.keys.len() as u32)
    }

    /// The file is whole; says how many requests it has.
    pub fn finish(&mut self) -> Result<u32, String> {
        if self.parser.is_none() {
            self.begin()?;
        }
        let mut taken = Taken { keys: &mut self.keys, bytes: &mut self.key_bytes, over: false };
        if let Some(parser) = &mut self.parser {
            parser.finish(&mut |request| taken.take(request.key)).map_err(|why| format!("{}: {why}", self.name))?;
        }
        taken.verdict(&self.name)?;
        if self.keys.is_empty() {
            return Err(format!("{} has no requests", self.name));
        }
        self.whole = true;
        Ok(self.keys.len() as u32)
    }

    /// What to ask for, in order.
    pub fn keys(&self) -> Result<&[Key], String> {
        if self.whole { Ok(&self.keys) } else { Err("no trace has been read; drop a file on the page first".into()) }
    }

    fn begin(&mut self) -> Result<(), String> {
        let format = Format::detect(&self.name, &self.head).ok_or_else(|| {
            let known = "a key a line, CSV with a header that has a column key, oracleGeneral, Twitter's CSV";
            format!("{} is no trace that is known here: {known}", self.name)
        })?;
        self.parser = Some(Parser::new(format));
        let head = std::mem::take(&mut self.head);
        self.parse(&head)
    }

    fn parse(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut taken = Taken { keys: &mut self.keys, bytes: &mut self.key_bytes, over: false };
        if let Some(parser) = &mut self.parser {
            parser
                .push(bytes, &mut |request| taken.take(request.key))
                .map_err(|why| format!("{}: {why}", self.name))?;
        }
        taken.verdict(&self.name)
    }
}

/// Keys being taken in, up to the bounds.
struct Taken<'a> {
    keys: &'a mut Vec<Key>,
    bytes: &'a mut usize,
    over: bool,
}

impl Taken<'_> {
    fn take(&mut self, key: &[u8]) {
        self.over |= self.keys.len() == MOST_REQUESTS || *self.bytes + key.len() > MOST_KEY_BYTES;
        if self.over {
            return;
        }
        // The parser hands over keys of 1 to 65,535 bytes and nothing else.
        if let Ok(key) = Key::new(key.to_vec()) {
            *self.bytes += key.as_bytes().len();
            self.keys.push(key);
        }
    }

    fn verdict(&self, name: &str) -> Result<(), String> {
        if !self.over {
            return Ok(());
        }
        let megabytes = MOST_KEY_BYTES >> 20;
        Err(format!(
            "{name} has more than {MOST_REQUESTS} requests or {megabytes} MiB of keys, which the page does not take"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_in_pieces_of_any_length() {
        let text = b"time,key,size\n1,a,1\n2,b,1\n3,a,1\n";
        for piece in 1..text.len() {
            let mut file = TraceFile::start("t.csv");
            for bytes in text.chunks(piece) {
                file.feed(bytes).expect("a good trace");
            }
            assert_eq!(file.finish(), Ok(3));
            let keys: Vec<_> = file.keys().expect("a whole trace").iter().map(Key::as_bytes).collect();
            assert_eq!(keys, [b"a", b"b", b"a"]);
        }
    }

    #[test]
    fn what_is_no_trace_is_named() {
        let check = |name: &str, text: &[u8], expected: &str| {
            let mut file = TraceFile::start(name);
            let outcome = file.feed(text).and_then(|_| file.finish());
            assert!(outcome.as_ref().is_err_and(|why| why.contains(expected)), "{name}: {outcome:?}");
            assert!(file.keys().is_err());
        };
        check("empty.txt", b"", "no requests");
        check("a.csv", b"time,size\n1,2\n", "a.csv");
        check("b.csv", b"time,key,size\n1,a,1\n2,b\n", "line 3");
        check("mixed.txt", b"1,2,3\n", "no trace that is known");
    }
}
