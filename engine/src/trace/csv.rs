//! Comma-separated values under a header line (RFC 4180, each record on one line).

use alloc::string::String;
use alloc::vec::Vec;

use super::{Problem, TraceOp, TraceRequest, lines};

/// The header, once it was read, and room to undo the quoting of a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Csv {
    columns: Option<Columns>,
    unquoted: Vec<u8>,
}

/// Which field is what, by position.
#[derive(Clone, Debug)]
struct Columns {
    count: u64,
    key: u64,
    time: Option<u64>,
    size: Option<u64>,
    op: Option<u64>,
    ttl: Option<u64>,
}

/// The names that a column may have, the preferred one first. Case does not matter.
pub(super) const KEY_COLUMNS: [&str; 4] = ["key", "obj_id", "id", "key_id"];
const TIME_COLUMNS: [&str; 2] = ["time", "timestamp"];
const SIZE_COLUMNS: [&str; 3] = ["size", "value_size", "obj_size"];
const OP_COLUMNS: [&str; 2] = ["op", "operation"];
const TTL_COLUMNS: [&str; 1] = ["ttl"];

impl Csv {
    /// Takes the header, or hands over the request of a line.
    pub(super) fn line(&mut self, line: &[u8], each: &mut impl FnMut(TraceRequest<'_>)) -> Result<(), Problem> {
        match &self.columns {
            None => self.columns = Some(Columns::parse(line)?),
            Some(columns) => each(columns.request(line, &mut self.unquoted)?),
        }
        Ok(())
    }

    /// The trace is over: there must have been a header.
    pub(super) fn finish(&self) -> Result<(), Problem> {
        if self.columns.is_none() { Err(Problem::NoKeyColumn { got: String::new() }) } else { Ok(()) }
    }
}

impl Columns {
    fn parse(line: &[u8]) -> Result<Columns, Problem> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        for field in Fields::of(line) {
            let field = field?;
            let mut name = Vec::new();
            name.extend_from_slice(field.bytes(&mut Vec::new()).trim_ascii());
            name.make_ascii_lowercase();
            if names.contains(&name) {
                return Err(Problem::RepeatedColumn { name: Problem::shown(&name) });
            }
            names.push(name);
        }
        let find = |wanted: &[&str]| {
            let position = |name: &&str| names.iter().position(|column| column == name.as_bytes());
            wanted.iter().find_map(position).map(|index| index as u64)
        };
        Ok(Columns {
            count: names.len() as u64,
            key: find(&KEY_COLUMNS).ok_or_else(|| Problem::NoKeyColumn { got: Problem::shown(line) })?,
            time: find(&TIME_COLUMNS),
            size: find(&SIZE_COLUMNS),
            op: find(&OP_COLUMNS),
            ttl: find(&TTL_COLUMNS),
        })
    }

    /// The request of a line. Its key borrows from the line, or from `unquoted` when it holds doubled quotes.
    fn request<'a>(&self, line: &'a [u8], unquoted: &'a mut Vec<u8>) -> Result<TraceRequest<'a>, Problem> {
        let mut request = TraceRequest { time: None, key: b"", size: None, ttl: None, op: TraceOp::Get };
        let (mut key, mut index) = (Field { raw: b"", doubled: false }, 0);
        for field in Fields::of(line) {
            let field = field?;
            let at = Some(index);
            index += 1;
            if at == Some(self.key) {
                key = field;
                continue;
            }
            let text = field.raw.trim_ascii();
            // An empty field is one that the trace does not know for this request.
            if text.is_empty() {
                continue;
            }
            if at == self.time {
                request.time = Some(lines::number("time", text)?);
            } else if at == self.size {
                request.size = Some(lines::number("size", text)?);
            } else if at == self.op {
                request.op = lines::operation(text)?;
            } else if at == self.ttl {
                request.ttl = lines::ttl(text)?;
            }
        }
        if index != self.count {
            return Err(Problem::Fields { got: index, wanted: self.count });
        }
        request.key = lines::key(key.bytes(unquoted))?;
        Ok(request)
    }
}

/// One field, without the quotes around it.
#[derive(Clone, Copy)]
struct Field<'a> {
    raw: &'a [u8],
    /// It holds doubled quotes, each of which stands for one.
    doubled: bool,
}

impl<'a> Field<'a> {
    fn bytes(self, room: &'a mut Vec<u8>) -> &'a [u8] {
        if !self.doubled {
            return self.raw;
        }
        room.clear();
        let mut quoted = false;
        for byte in self.raw {
            quoted = *byte == b'"' && !quoted;
            if !quoted {
                room.push(*byte);
            }
        }
        room
    }
}

/// The fields of a line, one after the other.
struct Fields<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn of(line: &'a [u8]) -> Fields<'a> {
        Fields { rest: Some(line) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            let end = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
            self.rest = rest.get(end + 1..);
            return Some(Ok(Field { raw: &rest[..end], doubled: false }));
        };
        let (mut end, mut doubled) = (0, false);
        loop {
            match quoted[end..].iter().position(|byte| *byte == b'"') {
                None => return Some(Err(Problem::OpenQuote)),
                Some(step) => end += step,
            }
            if quoted.get(end + 1) != Some(&b'"') {
                break;
            }
            doubled = true;
            end += 2;
        }
        match quoted.get(end + 1) {
            None => {}
            Some(b',') => self.rest = Some(&quoted[end + 2..]),
            Some(_) => return Some(Err(Problem::AfterQuote)),
        }
        Some(Ok(Field { raw: &quoted[..end], doubled }))
    }
}
