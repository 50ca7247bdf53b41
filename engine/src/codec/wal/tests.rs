use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as many;
use proptest::prelude::*;

use super::super::bytes::DecodeError;
use super::super::peer::tests::strategies::{deadline, entry, key, slot, version};
use super::*;
use crate::id::{Slot, Version};
use crate::request::{Entry, Key, Value};

const OUR: Header = Header {
    cluster: ClusterTag(0x1122_3344_5566_7788),
    node: NodeId(3),
    first: Lsn(1_000),
    begun: UnixMs(1_700_000_000_000),
    salt: 0x0102_0304_0506_0708,
};

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        4 => (key(), entry()).prop_map(|(key, entry)| Record::Put { key, entry }),
        2 => (key(), version()).prop_map(|(key, version)| Record::Remove { key, version }),
        2 => (key(), version(), version(), deadline())
            .prop_map(|(key, from, version, deadline)| Record::Touch { key, from, version, deadline }),
        1 => (key(), version()).prop_map(|(key, version)| Record::Forget { key, version }),
        1 => (slot(), version()).prop_map(|(slot, version)| Record::Floor { slot, version }),
        1 => any::<u64>().prop_map(|below| Record::Synced { below: Lsn(below) }),
    ]
}

/// A segment of these records, and where each begins.
fn segment(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    put_header(&OUR, &mut bytes);
    for (lsn, record) in (OUR.first.0..).zip(records) {
        starts.push(bytes.len());
        put_record(OUR.salt, Lsn(lsn), record, &mut bytes);
    }
    (bytes, starts)
}

/// The records that are read, and the end.
fn read(bytes: &[u8]) -> (Vec<Record>, End) {
    let mut scan = Scan::new(Bytes::copy_from_slice(bytes)).expect("the header is whole");
    let records = scan.by_ref().map(|(_, _, record)| record).collect();
    (records, scan.end().expect("it has ended"))
}

/// A small entry under the key `k`.
fn put(number: u8) -> Record {
    let value = Value { bytes: vec![number; 5].into(), media: Bytes::new() };
    let version = Version { stamp: u64::from(number), node: NodeId(1) };
    Record::Put { key: Key::new("k").unwrap(), entry: Entry { value, version, deadline: None } }
}

fn synced(below: u64) -> Record {
    Record::Synced { below: Lsn(OUR.first.0 + below) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_was_written_is_read(records in many(record(), 0..8), room in 0_usize..100) {
        let (mut bytes, _) = segment(&records);
        let end = End::Whole { at: bytes.len() as u64 };
        bytes.resize(bytes.len() + room, 0);
        prop_assert_eq!(read(&bytes), (records, end));
    }

    /// However a write that was not synced was interrupted, what stands before it is read, and the rest is cut off.
    #[test]
    fn a_torn_tail_costs_what_was_not_synced(
        count in 1_usize..12,
        kept in any::<prop::sample::Index>(),
        pages in many(any::<bool>(), 16),
        page in 1_usize..60,
    ) {
        let records: Vec<Record> = (0..count as u8).map(put).collect();
        let (whole, starts) = segment(&records);
        let kept = kept.index(count);
        let mut torn = whole.clone();
        // Of what follows, some pages reached the disk and some did not, in any order; the others are zeros.
        for (number, chunk) in torn[starts[kept]..].chunks_mut(page).enumerate() {
            if !pages[number % pages.len()] {
                chunk.fill(0);
            }
        }
        let (seen, end) = read(&torn);
        prop_assert!(seen.len() >= kept && seen[..] == records[..seen.len()]);
        prop_assert!(!matches!(end, End::Damaged { .. }), "{:?}", end);
    }

    #[test]
    fn any_changed_bit_of_what_was_synced_is_damage(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let (mut bytes, starts) = segment(&[put(1), put(2), put(3), synced(3), put(4)]);
        let at = starts[0] + at.index(starts[3] - starts[0]);
        bytes[at] ^= 1_u8 << bit;
        let hit = starts[..3].iter().rposition(|start| *start <= at).unwrap();
        let (seen, end) = read(&bytes);
        prop_assert_eq!(seen, [put(1), put(2), put(3)][..hit].to_vec());
        let start = starts[hit] as u64;
        let witness = Some(starts[3] as u64);
        prop_assert!(matches!(end, End::Damaged { at, witness: w, .. } if at == start && w == witness), "{:?}", end);
    }

    #[test]
    fn no_bytes_panic(bytes in many(any::<u8>(), 0..200), header in any::<bool>()) {
        let mut all = Vec::new();
        if header {
            put_header(&OUR, &mut all);
        }
        all.extend(bytes);
        if let Ok(mut scan) = Scan::new(all.into()) {
            scan.by_ref().for_each(drop);
            prop_assert!(scan.end().is_some());
        }
    }
}

#[test]
fn a_segment_cut_anywhere_gives_the_records_before() {
    let records = [put(1), synced(0), put(2), synced(2), put(3)];
    let (bytes, starts) = segment(&records);
    for cut in HEADER..=bytes.len() {
        let (seen, end) = read(&bytes[..cut]);
        let whole = starts.iter().chain([&bytes.len()]).filter(|start| **start <= cut).count() - 1;
        assert_eq!(seen, records[..whole], "cut at {cut}");
        let at = starts.get(whole).copied().unwrap_or(bytes.len()) as u64;
        let torn = matches!(end, End::Torn { at: seen, flaw: Flaw::Cut { .. }, .. } if seen == at);
        // A cut behind zeros of a length leaves nothing to see.
        assert!(torn || end == End::Whole { at }, "cut at {cut}: {end:?}");
        assert_eq!(end == End::Whole { at }, cut as u64 == at, "cut at {cut}");
    }
}

#[test]
fn flaws_are_told_apart() {
    let check = |change: &dyn Fn(&mut Vec<u8>, &[usize]), expected: &str| {
        let (mut bytes, starts) = segment(&[put(1), put(2), put(3)]);
        change(&mut bytes, &starts);
        let (_, end) = read(&bytes);
        let (word, flaw) = match end {
            End::Whole { .. } => ("whole", String::new()),
            End::Torn { flaw, .. } => ("torn", flaw.to_string()),
            End::Damaged { flaw, witness, .. } => ("damaged", format!("{flaw}, {}", witness.is_some())),
        };
        assert_eq!(format!("{word}: {flaw}"), expected);
    };
    check(&|_, _| (), "whole: ");
    check(&|bytes, _| bytes.truncate(bytes.len() - 1), "torn: it takes 41 bytes and the file has 40 left");
    check(&|bytes, starts| bytes.truncate(starts[2] + 3), "torn: it takes 16 bytes and the file has 3 left");
    check(&|bytes, starts| bytes[starts[1]] = 3, "torn: no record has a length of 3");
    check(&|bytes, starts| bytes[starts[1] + 3] = 0xff, "torn: no record has a length of 4278190113");
    check(&|bytes, starts| bytes[starts[1] + 20] ^= 1, "torn: its checksum is wrong");
    let later = |bytes: &mut Vec<u8>, _: &[usize]| put_record(OUR.salt, Lsn(1_004), &put(5), bytes);
    check(&later, "torn: it is number 1004 where number 1003 follows");
    let salted = |bytes: &mut Vec<u8>, _: &[usize]| put_record(OUR.salt + 1, Lsn(1_003), &put(4), bytes);
    check(&salted, "torn: its checksum is wrong");
    let of_another = |bytes: &mut Vec<u8>, _: &[usize]| put_record(OUR.salt + 1, Lsn(1_004), &synced(4), bytes);
    check(&of_another, "torn: its checksum is wrong");
    // A later record may say that what is missing was there, wherever it begins.
    let lost = |bytes: &mut Vec<u8>, starts: &[usize]| {
        bytes[starts[2]..].fill(0xaa);
        bytes.push(0x55);
        put_record(OUR.salt, Lsn(1_007), &synced(3), bytes);
    };
    check(&lost, "damaged: no record has a length of 2863311530, true");
    let unknown = |bytes: &mut Vec<u8>, _: &[usize]| {
        put_frame(OUR.salt, Lsn(1_003), |out| out.extend([77, 0, 0]), bytes);
    };
    let reason = "its checksum is right, and it cannot be read: 77 is no record";
    check(&unknown, &format!("damaged: {reason}, false"));
}

#[test]
fn headers_are_read_and_others_refused() {
    let mut bytes = Vec::new();
    put_header(&OUR, &mut bytes);
    assert_eq!(bytes.len(), HEADER);
    assert_eq!(header(&Bytes::from(bytes.clone())), Ok(OUR));
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: HeaderError| {
        let mut changed = bytes.clone();
        change(&mut changed);
        assert_eq!(header(&Bytes::from(changed)), Err(expected));
    };
    check(&|bytes| bytes[0] = b'V', HeaderError::Magic);
    check(&|bytes| bytes.truncate(0), HeaderError::Short { length: 0 });
    check(&|bytes| bytes.truncate(5), HeaderError::Short { length: 5 });
    check(&|bytes| bytes.truncate(HEADER - 1), HeaderError::Short { length: HEADER - 1 });
    let of_format = |bytes: &mut Vec<u8>, format| {
        bytes[8] = format;
        let sum = CRC.checksum(&bytes[..HEADER - 4]).to_le_bytes();
        bytes[HEADER - 4..HEADER].copy_from_slice(&sum);
    };
    check(&|bytes| of_format(bytes, 2), HeaderError::Format { version: 2 });
    check(&|bytes| of_format(bytes, 0), HeaderError::Format { version: 0 });
    // Ours, but for a byte that has changed: it is no newer file, and can be repaired.
    (8..HEADER).for_each(|at| check(&|bytes| bytes[at] ^= 0x10, HeaderError::Checksum));
}

/// The bytes of format 1, as they stay: what is changed here cannot read what was written before.
#[test]
fn the_bytes_of_format_1() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut out = Vec::new();
    put_header(&OUR, &mut out);
    let mut seen = vec![hex(&out)];
    let (key, version) = (Key::new("key").unwrap(), Version { stamp: 0x0a0b, node: NodeId(0x0c) });
    let value = Value { bytes: Bytes::from_static(b"value"), media: Bytes::from_static(b"a/b") };
    let deadline = Some(UnixMs(0x0d0e));
    let records = [
        Record::Put { key: key.clone(), entry: Entry { value, version, deadline } },
        Record::Remove { key: key.clone(), version },
        Record::Touch { key: key.clone(), from: Version { stamp: 1, node: NodeId(2) }, version, deadline: None },
        Record::Forget { key, version },
        Record::Floor { slot: Slot::new(0x0102).unwrap(), version },
        Record::Synced { below: Lsn(7) },
    ];
    for (lsn, record) in (1..).map(Lsn).zip(&records) {
        let mut out = Vec::new();
        put_record(OUR.salt, lsn, record, &mut out);
        seen.push(hex(&out));
    }
    assert_eq!(seen, GOLDEN);
}

#[test]
fn records_that_are_sealed_together_are_those_that_are_written_one_by_one() {
    let records = [put(1), synced(5), put(2)];
    let mut open = Vec::new();
    records.iter().for_each(|record| put_open_record(record, &mut open));
    // Under another salt and other numbers first: a segment that could not be written is begun anew.
    assert_eq!(seal(9, Lsn(7), &mut open), Lsn(10));
    assert_eq!(seal(OUR.salt, OUR.first, &mut open), Lsn(1_003));
    assert_eq!(open, segment(&records).0[HEADER..]);
    assert_eq!(seal(1, Lsn(3), &mut []), Lsn(3));
}

#[test]
fn the_checksum_is_crc_32c() {
    // RFC 3720, appendix B.4, and the catalogue's check value.
    assert_eq!(CRC.checksum(&[0; 32]), 0x8a91_36aa);
    assert_eq!(CRC.checksum(b"123456789"), 0xe306_9283);
}

#[test]
fn a_record_names_a_field_that_is_wrong() {
    let mut from = Reader::new(Bytes::from_static(&[2, 1, 0]));
    let seen: Result<Record, DecodeError> = from.take("record");
    assert_eq!(seen, Err(DecodeError::TooShort { field: "key", needed: 1, left: 0 }));
}

const GOLDEN: [&str; 7] = [
    "766974722d6c6f670188776655443322110300e8030000000000000068e5cf8b01000008070605040302017d359847",
    "2e000000c3e98c7a01000000000000000103006b65790b0a0000000000000c00010e0d00000000000003612f620500000076616c7565",
    "1800000088541a6002000000000000000203006b65790b0a0000000000000c00",
    "23000000514dd4b403000000000000000303006b6579010000000000000002000b0a0000000000000c0000",
    "1800000059817ed404000000000000000403006b65790b0a0000000000000c00",
    "15000000d572e4de05000000000000000502010b0a0000000000000c00",
    "11000000d17cc7c30600000000000000060700000000000000",
];
