//! Reading one file: what it is, by its first bytes, what it holds, and where it stops to be what was written.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use indicatif::ProgressBar;
use vitrine_engine::codec::snapshot::{self, Flaw};
use vitrine_engine::codec::wal::{self, End, HeaderError, Scan};
use vitrine_engine::limits::MAX_VALUE;
use vitrine_engine::time::UnixMs;

use super::{Contents, Head, Kind, Report, State};
use crate::clock::{Clock as _, SystemClock};
use crate::snapshot::{ReadError, Reading};
use crate::snapshot_json::{Bounds, decode, explain, is_newer};

/// Says what a file holds. An error is the system's, which did not give the file. The bar goes on by its bytes.
pub fn inspect(path: &Path, bar: &ProgressBar) -> io::Result<Report> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut first = Vec::new();
    File::open(path)?.take(8).read_to_end(&mut first)?;
    let begins = |magic: &[u8]| !first.is_empty() && first.starts_with(&magic[..first.len().min(magic.len())]);
    let kind = if begins(wal::MAGIC) {
        Kind::LogSegment
    } else if begins(snapshot::MAGIC) {
        Kind::Snapshot
    } else if first.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        Kind::CacheJson
    } else {
        Kind::Unknown
    };
    let report = Report {
        file: path.to_owned(),
        kind,
        state: State::Whole,
        bytes: metadata.len(),
        room: None,
        header: None,
        numbers: None,
        contents: Contents::default(),
    };
    let now = SystemClock::start().now().unix;
    let before = bar.position();
    let report = match kind {
        Kind::LogSegment => segment(report, now),
        Kind::Snapshot => binary(report, now, bar),
        Kind::CacheJson => json(report, now, bar),
        Kind::Unknown => {
            let what = "it is no log, snapshot or cache.json of this cache: its first bytes are others".to_owned();
            Ok(Report { state: State::Damaged { at: Some(0), what }, ..report })
        }
    };
    bar.set_position(before + metadata.len());
    report
}

fn segment(mut report: Report, now: UnixMs) -> io::Result<Report> {
    if report.bytes > LONGEST_SEGMENT {
        let what = format!("it has {} bytes, and a segment has at most {LONGEST_SEGMENT}", report.bytes);
        report.state = State::Damaged { at: None, what };
        return Ok(report);
    }
    let mut scan = match Scan::new(fs::read(&report.file)?.into()) {
        Ok(scan) => scan,
        Err(error) => {
            let (what, bytes) = (error.to_string(), report.bytes);
            report.state = match error {
                // It was cut off while it was begun.
                HeaderError::Short { .. } => State::TornTail { at: 0, bytes, what },
                error if error.is_newer() => State::Newer { what },
                _ => State::Damaged { at: Some(0), what },
            };
            return Ok(report);
        }
    };
    let header = *scan.header();
    report.header = Some(Head {
        format: wal::FORMAT,
        cluster: header.cluster.0,
        node: header.node.0,
        begun_unix_ms: header.begun.0,
    });
    for (_, _, record) in scan.by_ref() {
        report.contents.record(&record, now);
    }
    report.numbers = Some([header.first.0, scan.next_lsn().0]);
    let next = scan.next_lsn().0;
    match scan.end() {
        Some(End::Whole { at }) => report.room = Some(report.bytes.saturating_sub(at)),
        Some(End::Torn { at, flaw, bytes }) => {
            report.state = State::TornTail { at, bytes, what: format!("record {next}: {flaw}") };
        }
        Some(End::Damaged { at, flaw, witness }) => {
            let shown = witness.map_or(String::new(), |byte| format!("; byte {byte} says that it had been synced"));
            report.state = State::Damaged { at: Some(at), what: format!("record {next}: {flaw}{shown}") };
        }
        None => {}
    }
    Ok(report)
}

fn binary(mut report: Report, now: UnixMs, bar: &ProgressBar) -> io::Result<Report> {
    let before = bar.position();
    let read = (|| {
        let mut reading = Reading::open(&report.file)?;
        let header = *reading.header();
        report.header = Some(Head {
            format: snapshot::FORMAT,
            cluster: header.cluster.0,
            node: header.node.0,
            begun_unix_ms: header.begun.0,
        });
        while let Some(records) = reading.block()? {
            records.iter().for_each(|record| report.contents.record(record, now));
            bar.set_position(before + reading.bytes());
        }
        report.numbers = reading.footer().map(|footer| [header.first.0, footer.until.0]);
        Ok(())
    })();
    match read {
        Ok(()) => {}
        Err(ReadError::Io(error)) => return Err(error),
        Err(error @ ReadError::Content(_)) if error.is_newer() => {
            report.state = State::Newer { what: error.to_string() }
        }
        Err(ReadError::Content(error)) => {
            let what = match error.flaw {
                Flaw::Cut { .. } => format!("{}; it has no end, and is no snapshot", error.flaw),
                flaw => flaw.to_string(),
            };
            report.state = State::Damaged { at: Some(error.at), what };
        }
    }
    Ok(report)
}

fn json(mut report: Report, now: UnixMs, bar: &ProgressBar) -> io::Result<Report> {
    let text = BufReader::with_capacity(1 << 16, bar.wrap_read(File::open(&report.file)?));
    let contents = &mut report.contents;
    let read = decode(text, Bounds { max_value: MAX_VALUE, max_file: u64::MAX }, &mut |entry| {
        contents.entry(entry.key.as_bytes().len(), entry.value.bytes.len(), entry.deadline, now);
        contents.count("puts", entry.version);
        Ok(())
    });
    match read {
        Err(error) if error.is_io() => return Err(error.into()),
        Err(error) if is_newer(&error) => report.state = State::Newer { what: explain(&error) },
        Err(error) => report.state = State::Damaged { at: None, what: explain(&error) },
        Ok(()) => {}
    }
    Ok(report)
}

/// A segment is read as a whole: no more than this.
const LONGEST_SEGMENT: u64 = 4 << 30;
