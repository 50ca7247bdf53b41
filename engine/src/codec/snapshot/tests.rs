use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use bytes::Bytes;
use proptest::collection::vec as many;
use proptest::prelude::*;

use super::super::peer::tests::strategies::{entry, key, slot, version};
use super::*;
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
        1 => (slot(), version()).prop_map(|(slot, version)| Record::Floor { slot, version }),
    ]
}

/// A snapshot of these, with blocks that end behind every so many of them.
fn snapshot(records: &[Record], per_block: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&OUR, &mut out);
    for (number, record) in records.iter().enumerate() {
        match record {
            Record::Put { key, entry: Entry { value, version, deadline } } => {
                let (key, media) = (key.as_bytes(), &value.media);
                encoder.entry(&Kept { key, value: &value.bytes, media, version: *version, deadline: *deadline });
            }
            Record::Floor { slot, version } => encoder.floor(*slot, *version),
            other => panic!("{other:?}"),
        }
        if (number + 1) % per_block == 0 {
            encoder.end_block(&mut out);
        }
    }
    encoder.finish(Lsn(2_000), UnixMs(1_700_000_000_500), &mut out);
    out
}

/// All that is in a file, or what is wrong with it.
fn read(bytes: &[u8]) -> Result<(Vec<Record>, Footer), SnapshotError> {
    let (head, mut rest) = bytes.split_at(HEADER.min(bytes.len()));
    let mut decoder = Decoder::new(head)?;
    let (mut records, mut end) = (Vec::new(), None);
    loop {
        let wants = if end.is_some() { rest.len() } else { decoder.wants() };
        let (part, after) = rest.split_at(wants.min(rest.len()));
        rest = after;
        match (decoder.feed(part)?, end) {
            (Step::More, Some(footer)) => return Ok((records, footer)),
            (Step::More, None) => {}
            (Step::Block(block), _) => records.extend(block),
            (Step::End(footer), _) => end = Some(footer),
        }
    }
}

fn some() -> Vec<Record> {
    let put = |number: u8| {
        let value = Value { bytes: vec![number; 40].into(), media: Bytes::from_static(b"text/plain") };
        let version = Version { stamp: u64::from(number), node: NodeId(1) };
        let deadline = number.is_multiple_of(2).then_some(UnixMs(1_800_000_000_000));
        Record::Put { key: Key::new(format!("key{number}")).unwrap(), entry: Entry { value, version, deadline } }
    };
    let floor =
        |number| Record::Floor { slot: Slot::new(number).unwrap(), version: Version { stamp: 9, node: NodeId(2) } };
    (0..7).map(put).chain((5..8).map(floor)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_written_is_read(records in many(record(), 0..12), per_block in 1_usize..6) {
        let bytes = snapshot(&records, per_block);
        let (seen, footer) = read(&bytes).expect("a whole snapshot");
        let floors = records.iter().filter(|record| matches!(record, Record::Floor { .. })).count() as u64;
        prop_assert_eq!((footer.floors, footer.entries + floors), (floors, records.len() as u64));
        prop_assert_eq!((footer.until, footer.ended), (Lsn(2_000), UnixMs(1_700_000_000_500)));
        prop_assert_eq!(footer.blocks, (records.len() as u64).div_ceil(per_block as u64));
        prop_assert_eq!(seen, records);
    }

    #[test]
    fn no_bytes_panic(
        bytes in many(any::<u8>(), 0..200),
        whole in any::<bool>(),
        place in any::<prop::sample::Index>(),
    ) {
        let mut all = if whole { snapshot(&some(), 3) } else { snapshot(&[], 1)[..HEADER].to_vec() };
        let at = place.index(all.len() + 1);
        all.splice(at.max(HEADER)..at.max(HEADER), bytes);
        let _ = read(&all);
    }
}

#[test]
fn every_prefix_is_refused() {
    let bytes = snapshot(&some(), 3);
    for cut in 0..bytes.len() {
        let error = read(&bytes[..cut]).expect_err("cut off");
        assert!(matches!(error.flaw, Flaw::Cut { needed, left } if left < needed), "cut at {cut}: {error:?}");
        assert!(error.at <= cut as u64, "cut at {cut}: {error:?}");
    }
    assert!(read(&bytes).is_ok());
}

#[test]
fn every_changed_bit_is_told() {
    let bytes = snapshot(&some(), 3);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1_u8 << bit;
            let error = read(&changed).expect_err("one bit is another");
            assert!(error.at <= at as u64, "byte {at}, bit {bit}: {error:?}");
        }
    }
}

#[test]
fn a_put_has_the_bytes_that_the_log_gives_it() {
    for record in some() {
        let Record::Put { key, entry: Entry { value, version, deadline } } = &record else { continue };
        let (mut logged, mut ours) = (Vec::new(), Vec::new());
        record.put(&mut logged);
        let (key, media) = (key.as_bytes(), &value.media);
        put_entry(&Kept { key, value: &value.bytes, media, version: *version, deadline: *deadline }, &mut ours);
        assert_eq!(ours, logged);
    }
}

#[test]
fn what_repeats_is_stored_in_less_and_what_does_not_as_it_is() {
    let entry = |value: Vec<u8>| {
        let value = Value { bytes: value.into(), media: Bytes::new() };
        let entry = Entry { value, version: Version::ZERO, deadline: None };
        vec![Record::Put { key: Key::new("k").unwrap(), entry }]
    };
    let mut rng = crate::rng::Rng::new(1, "bytes");
    let noise: Vec<u8> = (0..3 * BLOCK).map(|_| rng.u64() as u8).collect();
    let (same, other) = (snapshot(&entry(vec![7; 3 * BLOCK]), 1), snapshot(&entry(noise.clone()), 1));
    assert!(same.len() < BLOCK / 20, "{}", same.len());
    assert!(other.len() < 3 * BLOCK + 200, "{}", other.len());
    assert_eq!(read(&other).expect("whole").0, entry(noise));
    assert_eq!(read(&same).expect("whole").0, entry(vec![7; 3 * BLOCK]));
}

#[test]
fn flaws_are_told_apart_and_where() {
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let mut bytes = snapshot(&some(), 100);
        change(&mut bytes);
        assert_eq!(read(&bytes).map_or_else(|error| error.to_string(), |_| String::from("whole")), expected);
    };
    let footer = snapshot(&some(), 100).len() - FOOTER;
    check(&|_| (), "whole");
    check(&|bytes| bytes[0] = b'V', "at byte 0: it is not a snapshot of this cache: its first bytes are others");
    // Who writes another format has a checksum of its own; without one it is a byte that has changed.
    let of_format = |bytes: &mut Vec<u8>, format| {
        bytes[8] = format;
        let sum = CRC.checksum(&bytes[..HEADER - 4]).to_le_bytes();
        bytes[HEADER - 4..HEADER].copy_from_slice(&sum);
    };
    let newer = "at byte 0: a newer version wrote it: format 2, and this one reads format 1";
    check(&|bytes| of_format(bytes, 2), newer);
    check(&|bytes| of_format(bytes, 0), "at byte 0: format 0 is not known; this one reads 1");
    check(&|bytes| bytes[8] = 2, "at byte 0: the checksum is wrong");
    check(&|bytes| bytes[20] ^= 1, "at byte 0: the checksum is wrong");
    check(&|bytes| bytes[HEADER] = 9, "at byte 47: no block begins with 9");
    check(&|bytes| bytes[HEADER + 8] = 0xff, "at byte 47: no block has a length of 4278190662");
    check(&|bytes| bytes[HEADER + 30] ^= 1, "at byte 47: the checksum is wrong");
    check(&|bytes| bytes.push(0), &format!("at byte {}: 1 bytes or more stand behind its end", footer + FOOTER));
    let cut = format!("at byte {footer}: it was cut off: what follows takes 45 bytes, and 44 are left");
    check(&|bytes| bytes.truncate(bytes.len() - 1), &cut);
    let count = format!("at byte {footer}: it says 6 entries, and there are 7");
    let lie = |bytes: &mut Vec<u8>| {
        bytes[footer + 9] = 6;
        let sum = checksum(OUR.salt, 1, &bytes[footer..footer + FOOTER - 4], &[]);
        let end = bytes.len() - 4;
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
    };
    check(&lie, &count);
    // A block says what a log has and no snapshot.
    let foreign = |bytes: &mut Vec<u8>| {
        bytes.truncate(HEADER);
        let (mut encoder, mut raw) = (Encoder::new(&OUR, &mut Vec::new()), Vec::new());
        Record::Synced { below: Lsn(7) }.put(&mut raw);
        encoder.raw_block(1, &raw, bytes);
        encoder.finish(Lsn(1), UnixMs(0), bytes);
    };
    let tag = "at byte 47: the checksum is right, and it cannot be read: 6 is no entry of a snapshot";
    check(&foreign, tag);
}

#[test]
fn a_block_that_promises_too_much_is_refused_before_there_is_room_for_it() {
    let block = |tag: u8, raw: u32, stored: u32| {
        let mut bytes = snapshot(&[], 1)[..HEADER].to_vec();
        tag.put(&mut bytes);
        for number in [1, raw, stored, 0] {
            number.put(&mut bytes);
        }
        read(&bytes).expect_err("no such block").flaw
    };
    assert_eq!(block(PACKED, MAX_RAW, 10), Flaw::Length { length: 10 });
    assert_eq!(block(PACKED, 100, 100), Flaw::Length { length: 100 });
    assert_eq!(block(PLAIN, 100, 99), Flaw::Length { length: 99 });
    assert_eq!(block(PLAIN, MAX_RAW + 1, MAX_RAW + 1), Flaw::Length { length: MAX_RAW + 1 });
    assert_eq!(block(PACKED, 25_600, 100), Flaw::Cut { needed: 117, left: 17 });
}
