//! Any bytes as a segment of a log: refused, or read to an end that is where it says, and what was read is written
//! again by the same bytes.
//!
//! The bytes are also taken as what stands behind a good header, and as what a record says, under a good checksum.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::codec::wal::{self, End, Header, Scan};
use vitrine_engine::id::{Lsn, NodeId};
use vitrine_engine::time::UnixMs;

const HEADER: Header = Header { cluster: ClusterTag(1), node: NodeId(2), first: Lsn(3), begun: UnixMs(4), salt: 5 };

fuzz_target!(|data: &[u8]| {
    check(Bytes::copy_from_slice(data));
    let mut segment = Vec::new();
    wal::put_header(&HEADER, &mut segment);
    segment.extend(data);
    check(segment.into());
    let mut segment = Vec::new();
    wal::put_header(&HEADER, &mut segment);
    wal::put_frame(HEADER.salt, HEADER.first, |out: &mut Vec<u8>| out.extend(data), &mut segment);
    check(segment.into());
});

fn check(segment: Bytes) {
    let Ok(mut scan) = Scan::new(segment.clone()) else { return };
    let header = *scan.header();
    let mut again = Vec::new();
    wal::put_header(&header, &mut again);
    for (at, lsn, record) in scan.by_ref() {
        assert_eq!(at, again.len() as u64);
        wal::put_record(header.salt, lsn, &record, &mut again);
    }
    assert!(segment.starts_with(&again), "the same bytes");
    let (End::Whole { at } | End::Torn { at, .. } | End::Damaged { at, .. }) = scan.end().expect("it has ended");
    assert_eq!(at, again.len() as u64);
}
