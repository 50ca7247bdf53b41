//! Which format a trace has, by its name and its first bytes. A wrong guess would be a wrong answer: doubt gives none.

use super::{Format, csv, lines, oracle, twitter};

pub(super) fn detect(name: &str, head: &[u8]) -> Option<Format> {
    let head = &head[..head.len().min(Format::HEAD)];
    let name = Name(name.as_bytes());
    if name.has(b"oraclegeneral") {
        return Some(Format::OracleGeneral);
    }
    // Text has no zero bytes; a record of oracleGeneral has one in its upper bytes, or is no trace that anybody has.
    if head.contains(&0) {
        let first = head.first_chunk::<{ oracle::RECORD }>();
        return first.is_some_and(oracle::plausible_first).then_some(Format::OracleGeneral);
    }
    let head = head.strip_prefix(lines::BYTE_ORDER_MARK).unwrap_or(head);
    let mut first_lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = first_lines.find(|line| !line.is_empty()).unwrap_or_default();
    if has_key_column(line) {
        Some(Format::Csv)
    } else if line.contains(&b',') && twitter::request(line).is_ok() {
        Some(Format::Twitter)
    } else if name.has(b".csv") {
        // Its header says what is missing better than a doubt would.
        Some(Format::Csv)
    } else if line.contains(&b',') {
        None
    } else {
        Some(Format::Lines)
    }
}

fn has_key_column(line: &[u8]) -> bool {
    line.split(|byte| *byte == b',').any(|field| {
        let field = field.trim_ascii();
        let field = field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field);
        csv::KEY_COLUMNS.iter().any(|name| field.eq_ignore_ascii_case(name.as_bytes()))
    })
}

/// A file name, compared without regard to case.
struct Name<'a>(&'a [u8]);

impl Name<'_> {
    fn has(&self, part: &[u8]) -> bool {
        self.0.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
    }
}
