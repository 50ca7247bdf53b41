//! Any bytes as a snapshot: refused, or read whole, and what was read is written again and read again as the same.
//!
//! The bytes are also taken as what stands behind a good header, and as what a block holds, under a good checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::codec::snapshot::{self, Decoder, Encoder, Footer, Header, Kept, SnapshotError, Step};
use vitrine_engine::id::{Lsn, NodeId};
use vitrine_engine::record::Record;
use vitrine_engine::time::UnixMs;

const HEADER: Header = Header { cluster: ClusterTag(1), node: NodeId(2), first: Lsn(3), begun: UnixMs(4), salt: 5 };

fuzz_target!(|data: &[u8]| {
    check(data);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&HEADER, &mut file);
    check(&[&file, data].concat());
    encoder.raw_block(1, data, &mut file);
    encoder.finish(Lsn(6), UnixMs(7), &mut file);
    check(&file);
});

fn check(file: &[u8]) {
    let Ok((header, records, footer)) = read(file) else { return };
    let mut again = Vec::new();
    let mut encoder = Encoder::new(&header, &mut again);
    for record in &records {
        match record {
            Record::Put { key, entry } => encoder.entry(&Kept {
                key: key.as_bytes(),
                value: &entry.value.bytes,
                media: &entry.value.media,
                version: entry.version,
                deadline: entry.deadline,
            }),
            Record::Floor { slot, version } => encoder.floor(*slot, *version),
            other => panic!("{other:?} is no part of a snapshot"),
        }
    }
    encoder.finish(footer.until, footer.ended, &mut again);
    let (same, seen, end) = read(&again).expect("what was written is whole");
    assert_eq!((same, seen, end.entries, end.floors), (header, records, footer.entries, footer.floors));
}

fn read(file: &[u8]) -> Result<(Header, Vec<Record>, Footer), SnapshotError> {
    let (head, mut rest) = file.split_at(snapshot::HEADER.min(file.len()));
    let mut decoder = Decoder::new(head)?;
    let (mut records, mut end) = (Vec::new(), None);
    loop {
        let wants = if end.is_some() { rest.len() } else { decoder.wants() };
        let (part, after) = rest.split_at(wants.min(rest.len()));
        rest = after;
        match (decoder.feed(part)?, end) {
            (Step::More, Some(footer)) => return Ok((*decoder.header(), records, footer)),
            (Step::More, None) => {}
            (Step::Block(block), _) => records.extend(block),
            (Step::End(footer), _) => end = Some(footer),
        }
    }
}
