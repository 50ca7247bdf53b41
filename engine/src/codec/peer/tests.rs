use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::collection::vec as many;
use proptest::prelude::*;

use super::super::bytes::Length;
use super::*;
use crate::error::Failure;
use crate::id::{Lanes, NodeId, RequestId, Slot, Version};
use crate::map::{Edition, Map, Member, Phase, Wish};
use crate::message::{Contact, Origin, Path, Reach, Standing, Wanted};
use crate::request::{
    Answer, Condition, Entry, Holding, Inspection, Key, Operation, ReadLevel, Request, Value, WriteLevel,
};
use crate::time::UnixMs;

pub(in crate::codec) mod strategies;

use strategies::envelope;

const CLUSTER: ClusterTag = ClusterTag(0x1122_3344_5566_7788);
const ORIGIN: Origin = Origin { boot: 0x0506, epoch: Epoch(7) };

fn bytes_of(envelope: &Envelope) -> Vec<u8> {
    let mut out = Vec::new();
    encode(envelope, CLUSTER, &mut out);
    out
}

fn decoded(frame: &[u8]) -> Result<Envelope, DecodeError> {
    decode(Bytes::copy_from_slice(frame), CLUSTER)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_encoded_is_decoded(envelope in envelope()) {
        let frame = bytes_of(&envelope);
        let mut length = Length::default();
        encode(&envelope, CLUSTER, &mut length);
        prop_assert_eq!(length.0, frame.len());
        prop_assert_eq!(decoded(&frame), Ok(envelope));
    }

    #[test]
    fn a_cut_frame_is_too_short_wherever_it_is_cut(envelope in envelope(), cut in any::<prop::sample::Index>()) {
        let frame = bytes_of(&envelope);
        let cut = cut.index(frame.len());
        let seen = decoded(&frame[..cut]);
        prop_assert!(matches!(seen, Err(DecodeError::TooShort { .. })), "{seen:?}");
    }

    #[test]
    fn a_longer_frame_is_refused(envelope in envelope(), more in many(any::<u8>(), 1..9)) {
        let mut frame = bytes_of(&envelope);
        frame.extend(&more);
        prop_assert_eq!(decoded(&frame), Err(DecodeError::Trailing { bytes: more.len() }));
    }

    #[test]
    fn a_mutated_frame_is_refused_or_says_what_it_says(
        envelope in envelope(),
        changes in many((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut frame = bytes_of(&envelope);
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        assert_canonical(&frame)?;
    }

    #[test]
    fn any_bytes_behind_a_header_are_refused_or_say_what_they_say(kind in 0_u8..17, body in many(any::<u8>(), 0..120)) {
        let mut frame = vec![FORMAT, kind];
        frame.extend(CLUSTER.0.to_le_bytes());
        frame.extend([1, 0, 2, 0]);
        frame.extend([4, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend(body);
        assert_canonical(&frame)?;
    }

    #[test]
    fn any_bytes_are_refused_or_say_what_they_say(frame in many(any::<u8>(), 0..200)) {
        assert_canonical(&frame)?;
    }
}

/// What decodes encodes to the same bytes; only the name of an unknown bound is not kept.
fn assert_canonical(frame: &[u8]) -> Result<(), TestCaseError> {
    let Ok(envelope) = decoded(frame) else { return Ok(()) };
    let again = bytes_of(&envelope);
    prop_assert_eq!(decoded(&again), Ok(envelope.clone()));
    let renamed = matches!(&envelope.message, Message::Answer { outcome: Err(Failure::Busy { .. }), .. });
    prop_assert!(renamed || again == frame);
    Ok(())
}

#[test]
fn golden_frames() {
    let check = |message: Message, expected: &str| {
        let envelope = Envelope { from: NodeId(1), to: NodeId(2), origin: ORIGIN, message };
        let frame = bytes_of(&envelope);
        let kind = format!("{:02x}", frame[1]);
        let header = format!("0d{kind}88776655443322110100020006050000000000000700000000000000");
        let text: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected: String = expected.split_whitespace().collect();
        assert_eq!(text, header + &expected, "{}", envelope.message.kind());
        assert_eq!(decoded(&frame), Ok(envelope));
    };
    let id = RequestId { node: NodeId(1), serial: 0x0a0b };
    let version = Version::new(UnixMs(1_700_000_000_123), 7, NodeId(3));
    let key = Key::new("k1").unwrap();
    let slot = Slot::new(12_182).unwrap();
    let value = Value { bytes: "hello".into(), media: "text/a".into() };
    let entry = Entry { value: value.clone(), version, deadline: Some(UnixMs(0x0102_0304)) };
    let timeout = Duration::from_millis(2_000);
    let forward = |operation| Message::Forward {
        id,
        boot: 0x0b0c,
        hops: 1,
        request: Request { key: key.clone(), operation, timeout },
    };
    let answer = |outcome| Message::Answer { id, slot, isolated: false, outcome };
    let holding = Holding {
        version: Some(version),
        bytes: 99,
        rank: Some(4),
        doubt: true,
        before: version,
        ..Holding::default()
    };
    // The parts, by hand.
    const ID: &str = "0100 0b0a000000000000";
    const VERSION: &str = "07007b68e5cf8b01 0300";
    const VALUE: &str = "06 746578742f61 05000000 68656c6c6f";
    const DEADLINE: &str = "01 0403020100000000";
    const HOLDING: &str = "01 07007b68e5cf8b01 0300  00  6300000000000000  01 04000000  0000000000000000 0000  01 \
        07007b68e5cf8b01 0300";
    let row = |message, parts: &[&str]| check(message, &parts.concat());

    let asked = &[ID, "0c0b000000000000", "01", "80841e00", "0200 6b31"].concat();
    row(forward(Operation::Get { level: ReadLevel::Primary }), &[asked, "01 01"]);
    row(forward(Operation::Get { level: ReadLevel::One }), &[asked, "01 02"]);
    row(forward(Operation::Get { level: ReadLevel::Quorum }), &[asked, "01 03"]);
    let set = |deadline, condition, level| forward(Operation::Set { value: value.clone(), deadline, condition, level });
    let deadline = Some(UnixMs(0x0102_0304));
    row(set(deadline, Condition::Always, WriteLevel::One), &[asked, "02 01 00", DEADLINE, VALUE]);
    row(set(None, Condition::Absent, WriteLevel::Live), &[asked, "02 02 01 00", VALUE]);
    row(set(None, Condition::Present, WriteLevel::Quorum), &[asked, "02 03 02 00", VALUE]);
    row(set(None, Condition::Is(version), WriteLevel::All), &[asked, "02 04 03", VERSION, "00", VALUE]);
    let delete = Operation::Delete { condition: Condition::OlderThan(version), level: WriteLevel::Live };
    row(forward(delete), &[asked, "03 02 04", VERSION]);
    row(forward(Operation::Inspect), &[asked, "04"]);
    let level = WriteLevel::Quorum;
    row(forward(Operation::Increment { by: 0x0102, level }), &[asked, "05 03 0201000000000000"]);
    row(forward(Operation::Increment { by: -2, level }), &[asked, "05 03 feffffffffffffff"]);
    row(forward(Operation::Touch { deadline, level }), &[asked, "06 03", DEADLINE]);
    row(forward(Operation::Touch { deadline: None, level }), &[asked, "06 03 00"]);

    let told = &[ID, "962f 00"].concat();
    row(answer(Ok(Answer::Found(entry.clone()))), &[told, "01", VERSION, DEADLINE, VALUE]);
    row(answer(Ok(Answer::Missing)), &[told, "02"]);
    let cut_off = Message::Answer { id, slot, isolated: true, outcome: Ok(Answer::Missing) };
    row(cut_off, &[ID, "962f 01 02"]);
    row(answer(Ok(Answer::Stored { version, copies: 2, created: true })), &[told, "03", VERSION, "02 01"]);
    row(answer(Ok(Answer::Deleted { copies: 3, existed: false })), &[told, "04 03 00"]);
    row(answer(Ok(Answer::Unmet { present: Some(version) })), &[told, "05 01", VERSION]);
    row(answer(Ok(Answer::Unmet { present: None })), &[told, "05 00"]);
    let inspections =
        vec![Inspection { node: NodeId(3), held: Some(holding) }, Inspection { node: NodeId(4), held: None }];
    row(answer(Ok(Answer::Inspected(inspections))), &[told, "06 0200 0300 01", HOLDING, "0400 00"]);
    let added = Answer::Added { value: -1, version, copies: 2, created: true };
    row(answer(Ok(added)), &[told, "07 ffffffffffffffff", VERSION, "02 01"]);
    row(answer(Ok(Answer::Touched { version, copies: 3 })), &[told, "08", VERSION, "03"]);
    let name = "4d41585f50454e44494e47"; // MAX_PENDING
    row(answer(Err(Failure::Busy { limit: "MAX_PENDING" })), &[told, "81 0b", name]);
    row(answer(Err(Failure::Unavailable { needed: 2, alive: 1 })), &[told, "82 02 01"]);
    row(answer(Err(Failure::Timeout)), &[told, "83"]);
    row(answer(Err(Failure::Indeterminate { copies: 1 })), &[told, "84 01"]);
    let large = Failure::TooLarge { bytes: 0x0403, limit: 0x0201 };
    row(answer(Err(large)), &[told, "85 0304000000000000 0102000000000000"]);
    row(answer(Err(Failure::NotPrimary { primary: Some(NodeId(9)) })), &[told, "86 01 0900"]);
    row(answer(Err(Failure::NotPrimary { primary: None })), &[told, "86 00"]);
    row(answer(Err(Failure::Stopping)), &[told, "87"]);
    row(answer(Err(Failure::NotANumber)), &[told, "88"]);
    row(answer(Err(Failure::Overflow)), &[told, "89"]);
    row(answer(Err(Failure::ReadOnly)), &[told, "8a"]);
    let told = &[ID, "962f"].concat();

    let named = &[ID, "0200 6b31"].concat();
    let replicate = |change| Message::Replicate { id, key: key.clone(), change };
    row(replicate(Change::Put(entry.clone())), &[named, "01", VERSION, DEADLINE, VALUE]);
    row(replicate(Change::Remove { version }), &[named, "02", VERSION]);
    let replicated = |verdict| Message::Replicated { id, slot, version, verdict };
    row(replicated(Verdict::Applied), &[told, VERSION, "01"]);
    row(replicated(Verdict::Unlogged), &[told, VERSION, "03"]);
    row(replicated(Verdict::Refused { held: version }), &[told, VERSION, "02", VERSION]);
    for (wanted, tag) in [(Wanted::Facts, "01"), (Wanted::Value, "02"), (Wanted::Copy, "03"), (Wanted::Version, "04")] {
        row(Message::Fetch { id, key: key.clone(), wanted }, &[named, tag]);
    }
    let fetched = |entry| Message::Fetched { id, slot, holding, entry };
    row(fetched(Some(entry.clone())), &[told, HOLDING, "01", VERSION, DEADLINE, VALUE]);
    row(fetched(None), &[told, HOLDING, "00"]);
    let contacts = [(NodeId(1), Contact::Direct), (NodeId(2), Contact::Relayed), (NodeId(4), Contact::Direct)];
    let reach = Reach::of(contacts.into_iter());
    let edition = Edition { epoch: Epoch(9), by: NodeId(2), boot: 0x0e0f };
    const EDITION: &str = "0900000000000000 0200 0f0e000000000000";
    let standing = Standing {
        boot: 0x0c0d,
        lapses: 3,
        settled: version,
        life: 0x0102,
        over: 0x0304,
        reach,
        edition,
        filled: true,
        steps: 5,
        failing: true,
        skips: 6,
    };
    const STANDING: &str = "0d0c000000000000 03000000 07007b68e5cf8b01 0300  0201000000000000 0403000000000000 \
        0200 1802 0900000000000000 0200 0f0e000000000000 01 05000000 01 06000000";
    let ping = Message::Ping { serial: 5, path: Path::Direct, standing: standing.clone() };
    row(ping, &["0500000000000000 01", STANDING]);
    row(Message::Pong { serial: 6, path: Path::Routed, standing }, &["0600000000000000 02", STANDING]);
    row(Message::Gossip { data: b"news".to_vec().into() }, &["0400 6e657773"]);
    let asked = Lanes(0x8001);
    let sync =
        |slots| Message::Sync { id, lanes: asked, since: version, cursor: 258, gained: true, slots, lives: vec![] };
    let syncs = &[ID, "0180000000000000", VERSION, "0201000000000000", "01"].concat();
    row(sync(None), &[syncs, "00", "0000"]);
    row(sync(Some([slot, Slot::of_hash(3)].into_iter().collect())), &[syncs, "01 0200 0300 962f", "0000"]);
    let most = Slot::all().take(1_025).collect();
    row(sync(Some(most)), &[syncs, "01 0104", &"ff".repeat(128), "01", &"00".repeat(2_048 - 129), "0000"]);
    let compare = Message::Compare { id, lanes: asked, since: version, cursor: 258, lives: vec![(NodeId(2), 9)] };
    row(compare, &[ID, "0180000000000000", VERSION, "0201000000000000", "0100 0200 0900000000000000"]);
    let compared = |next, digests| Message::Compared { id, slot, lanes: asked, cursor: 2, next, digests };
    let compares = &[told, "0180000000000000", "0200000000000000"].concat();
    row(compared(None, vec![]), &[compares, "00", "0000"]);
    row(compared(Some(9), vec![(slot, 0x0a0b)]), &[compares, "01 0900000000000000", "0100 962f 0b0a000000000000"]);
    let (lanes, vouches) = (Lanes(1), Lanes(3));
    let listed = |next, floors, keys| Message::Listed { id, slot, lanes, cursor: 2, next, vouches, floors, keys };
    let page = &[told, "0100000000000000", "0200000000000000"].concat();
    const VOUCHES: &str = "0300000000000000";
    row(listed(None, vec![], vec![]), &[page, "00", VOUCHES, "0000", "0000"]);
    row(
        listed(Some(9), vec![(slot, version)], vec![(key.clone(), version)]),
        &[page, "01 0900000000000000", VOUCHES, "0100 962f", VERSION, "0100 0200 6b31", VERSION],
    );
    let member = Member { was: 0, zone: "z".into(), peer_address: "h:1".into(), ..Member::new(NodeId(3), "n3") };
    let moved = Member { zone: "z".into(), moved_from: Some("y".into()), ..Member::new(NodeId(4), "n4") };
    let members = vec![Member::new(NodeId(2), "n2"), member, moved];
    let map = Map {
        epoch: edition.epoch,
        by: edition.by,
        boot: edition.boot,
        phase: Phase::Filling,
        highest: NodeId(5),
        ..Map::first(members, 2, 64)
    };
    const SECOND: &str = "0200 026e32 01000000 01000000 00 00 00 00";
    const THIRD: &str = "0300 026e33 01000000 00000000 00 017a 03683a31 00";
    const FOURTH: &str = "0400 026e34 01000000 01000000 02 017a 0179 00 00";
    row(Message::Map { map: Arc::new(map) }, &[EDITION, "01 0500 02 4000 0300", SECOND, THIRD, FOURTH]);
    let name = || String::from("n3");
    let wish = |wish| Message::Wish { wish };
    row(wish(Wish::Weight { name: name(), weight: 0 }), &["02 026e33 00000000"]);
    row(wish(Wish::Zone { name: name(), zone: "z".into() }), &["04 026e33 017a"]);
    row(wish(Wish::Leave { name: name(), force: false }), &["03 026e33 00"]);
    row(wish(Wish::Leave { name: name(), force: true }), &["03 026e33 01"]);
    let [zone, peer_address, http_address] = ["z", "h:1", ""].map(String::from);
    let join = Wish::Join { name: name(), weight: 1, zone, peer_address, http_address };
    row(wish(join), &["01 026e33 01000000 017a 03683a31 00"]);
}

#[test]
fn hostile_frames_are_refused_by_name() {
    let message = Message::Ping { serial: 5, path: Path::Direct, standing: Standing::default() };
    let ping = bytes_of(&Envelope { from: NodeId(1), to: NodeId(2), origin: ORIGIN, message });
    // A frame of that kind with the header of `ping` and that body.
    let framed = |kind: u8, body: &[&[u8]]| {
        let mut frame = ping[..HEADER].to_vec();
        frame[1] = kind;
        frame.extend(body.concat());
        frame
    };
    let check = |frame: &[u8], expected: DecodeError, text: &str| {
        assert_eq!(decoded(frame), Err(expected));
        assert_eq!(format!("{expected}"), text);
    };
    let short = |field, needed, left| DecodeError::TooShort { field, needed, left };
    let id = [1, 0, 11, 0, 0, 0, 0, 0, 0, 0];

    check(&[], short("format version", 1, 0), "format version takes 1 bytes and the frame has 0 left");
    let newer = [&[14], &ping[1..]].concat();
    check(&newer, DecodeError::Format { version: 14, known: 13 }, "format version 14; version 13 is known");
    let text = "format version 71; version 13 is known";
    check(b"GET / HTTP/1.1", DecodeError::Format { version: b'G', known: 13 }, text);
    let mut stranger = ping.clone();
    stranger[2] ^= 0xff;
    let tag = CLUSTER.0 ^ 0xff;
    check(&stranger, DecodeError::Cluster { tag }, "from a node of another cluster (tag 1122334455667777)");
    let kindless = framed(16, &[&[0; 8]]);
    check(&kindless, DecodeError::Tag { field: "kind", tag: 16 }, "16 is no kind");
    // A heartbeat that travels in no way, one that reaches beyond all numbers, and one with bits that mean nothing.
    let standing = |reach: &[u8]| framed(7, &[&[0; 8], &[1], &[0; 38], reach]);
    check(&framed(7, &[&[0; 8], &[3]]), DecodeError::Tag { field: "path", tag: 3 }, "3 is no path");
    let limit = DecodeError::Limit { field: "reach", value: 16_385, limit: 16_384 };
    check(&standing(&[1, 0x40]), limit, "reach is 16385; it is at most 16384");
    check(&standing(&[1, 0, 3]), DecodeError::Tag { field: "reach", tag: 3 }, "3 is no reach");
    let limit = DecodeError::Limit { field: "gossip", value: 4_097, limit: 4_096 };
    check(&framed(11, &[&[1, 0x10]]), limit, "gossip is 4097; it is at most 4096");
    let limit = DecodeError::Limit { field: "lives", value: 1_025, limit: 1_024 };
    check(&framed(14, &[&id, &[0; 26], &[1, 4]]), limit, "lives is 1025; it is at most 1024");
    let long = [&ping[..], &[0, 0]].concat();
    check(&long, DecodeError::Trailing { bytes: 2 }, "2 bytes after the end of the message");
    check(&ping[..HEADER + 3], short("serial", 8, 3), "serial takes 8 bytes and the frame has 3 left");

    // Fetch: a key without bytes, one that is longer than the frame, a wish that nobody has.
    check(&framed(5, &[&id, &[0, 0, 1]]), DecodeError::EmptyKey, "the key is empty");
    let beyond = framed(5, &[&id, &[0xff, 0xff, b'k', 1]]);
    check(&beyond, short("key", 65_535, 2), "key takes 65535 bytes and the frame has 2 left");
    check(&framed(5, &[&id, &[1, 0, b'k', 5]]), DecodeError::Tag { field: "wanted", tag: 5 }, "5 is no wanted");
    // Map: more members than there may be, a phase that is none, a name that is no text, and nobody in it.
    let edition = [0; 18];
    let crowd = DecodeError::Limit { field: "members", value: 1_025, limit: 1_024 };
    check(&framed(12, &[&edition, &[0, 0, 0, 2, 9, 0, 1, 4]]), crowd, "members is 1025; it is at most 1024");
    let phase = DecodeError::Tag { field: "phase", tag: 3 };
    check(&framed(12, &[&edition, &[3]]), phase, "3 is no phase");
    let flaw = DecodeError::Map { flaw: "nobody to keep the slots" };
    check(&framed(12, &[&edition, &[0, 0, 0, 2, 9, 0, 0, 0]]), flaw, "the map has a flaw: nobody to keep the slots");
    check(&framed(13, &[&[3, 1, 0xff]]), DecodeError::Text { field: "name" }, "name is not UTF-8");
    // Fetched: a flag with a reserved bit.
    let flag = DecodeError::Flag { field: "version", flag: 3 };
    check(&framed(6, &[&id, &[0, 0, 3]]), flag, "the flag of version is 3; it is 0 or 1");

    // Forward: a timeout past the longest, an unknown operation and level.
    let micros = 60_000_001_u32.to_le_bytes();
    let limit = DecodeError::Limit { field: "timeout", value: 60_000_001, limit: 60_000_000 };
    check(&framed(1, &[&id, &[0; 8], &[1], &micros]), limit, "timeout is 60000001; it is at most 60000000");
    let forward = |rest: &[u8]| framed(1, &[&id, &[0; 8], &[1], &[0; 4], &[1, 0, b'k'], rest]);
    check(&forward(&[7]), DecodeError::Tag { field: "operation", tag: 7 }, "7 is no operation");
    check(&forward(&[1, 0]), DecodeError::Tag { field: "read level", tag: 0 }, "0 is no read level");
    check(&forward(&[3, 9]), DecodeError::Tag { field: "write level", tag: 9 }, "9 is no write level");
    check(&forward(&[3, 1, 5]), DecodeError::Tag { field: "condition", tag: 5 }, "5 is no condition");
    // A value that says it has 4 GiB: past any limit; and one of 512 MiB: not in the frame. Neither is allocated.
    let set = |length: u32| forward(&[&[2, 1, 0, 0, 0], &length.to_le_bytes()[..], b"xyz"].concat());
    let limit = DecodeError::Limit { field: "value", value: u64::from(u32::MAX), limit: 512 << 20 };
    check(&set(u32::MAX), limit, "value is 4294967295; it is at most 536870912");
    check(&set(512 << 20), short("value", 512 << 20, 3), "value takes 536870912 bytes and the frame has 3 left");

    // Answer: a slot past the last, an unknown outcome, more inspections than members, more than the frame holds.
    let slot = DecodeError::Limit { field: "slot", value: 16_384, limit: 16_383 };
    check(&framed(2, &[&id, &[0, 0x40, 2]]), slot, "slot is 16384; it is at most 16383");
    let answer = |rest: &[u8]| framed(2, &[&id, &[0, 0, 1], rest]);
    check(&answer(&[128]), DecodeError::Tag { field: "outcome", tag: 128 }, "128 is no outcome");
    let many = DecodeError::Limit { field: "inspections", value: 65_535, limit: 1_024 };
    check(&answer(&[6, 0xff, 0xff]), many, "inspections is 65535; it is at most 1024");
    // Slots that do not ascend, that are not as many as is said, or past the last; more digests than an answer has.
    let sync = |rest: &[u8]| framed(9, &[&id, &[0; 8], &[0; 10], &[0; 8], &[0, 1], rest]);
    let order = DecodeError::Order { field: "slots" };
    check(&sync(&[2, 0, 5, 0, 5, 0]), order, "slots are not in order, each once, and as many as is said");
    check(&sync(&[2, 0, 5, 0, 4, 0]), order, "slots are not in order, each once, and as many as is said");
    let bits = [&[1, 4][..], &[0xff; 128], &[0; 1_920]].concat();
    check(&sync(&bits), order, "slots are not in order, each once, and as many as is said");
    check(
        &sync(&[1, 0, 0, 0x40]),
        DecodeError::Limit { field: "slots", value: 16_384, limit: 16_383 },
        "slots is 16384; it is at most 16383",
    );
    check(&sync(&bits[..99]), short("slots", 8, 1), "slots takes 8 bytes and the frame has 1 left");
    let digests = framed(15, &[&id, &[0, 0], &[0; 8], &[0; 8], &[0], &[1, 8]]);
    let limit = DecodeError::Limit { field: "digests", value: 2_049, limit: 2_048 };
    check(&digests, limit, "digests is 2049; it is at most 2048");
    // A page with more keys or floors than a page has.
    let page = |rest: &[u8]| framed(10, &[&id, &[0; 2 + 8 + 8 + 1 + 8], rest]);
    let floors = DecodeError::Limit { field: "floors", value: 2_049, limit: 2_048 };
    check(&page(&[1, 8]), floors, "floors is 2049; it is at most 2048");
    let keys = DecodeError::Limit { field: "keys", value: 257, limit: 256 };
    check(&page(&[0, 0, 1, 1]), keys, "keys is 257; it is at most 256");
    check(&answer(&[6, 0, 4]), short("replica", 2, 0), "replica takes 2 bytes and the frame has 0 left");
}

#[test]
fn an_unknown_bound_keeps_its_meaning() {
    let answer = |limit| Envelope {
        from: NodeId(1),
        to: NodeId(2),
        origin: ORIGIN,
        message: Message::Answer {
            id: RequestId::default(),
            slot: Slot::default(),
            isolated: true,
            outcome: Err(Failure::Busy { limit }),
        },
    };
    let mut frame = bytes_of(&answer("MAX_PENDING"));
    let last = frame.len() - 1;
    frame[last] = 0xff;
    assert_eq!(decoded(&frame), Ok(answer("a limit of the peer")));
    assert_eq!(decoded(&bytes_of(&answer("of another version"))), Ok(answer("a limit of the peer")));
}

#[test]
fn the_largest_message_fits_into_a_frame() {
    // Counted, not built: the value alone has 512 MiB. `Found` in an answer has no key, so `Replicate` is the longest.
    let version = Version { stamp: u64::MAX, node: NodeId(u16::MAX) };
    let value = Value { bytes: Bytes::new(), media: vec![b'm'; limits::MAX_MEDIA].into() };
    let key = Key::new(vec![b'k'; limits::MAX_KEY]).unwrap();
    let timeout = limits::MAX_TIMEOUT;
    let condition = Condition::OlderThan(version);
    let set = Operation::Set { value: value.clone(), deadline: Some(UnixMs(1)), condition, level: WriteLevel::All };
    let request = Request { key: key.clone(), operation: set, timeout };
    let change = Change::Put(Entry { value, version, deadline: Some(UnixMs(1)) });
    for message in [
        Message::Forward { id: RequestId::default(), boot: 1, hops: 1, request },
        Message::Replicate { id: RequestId::default(), key, change },
    ] {
        let mut length = Length(limits::MAX_VALUE);
        encode(&Envelope { from: NodeId(1), to: NodeId(2), origin: ORIGIN, message }, CLUSTER, &mut length);
        assert!(length.0 <= limits::MAX_FRAME, "{length:?}");
    }
    let holding = Holding { version: Some(version), deadline: Some(UnixMs(1)), rank: Some(1), ..Holding::default() };
    let inspections = vec![Inspection { node: NodeId(1), held: Some(holding) }; limits::MAX_MEMBERS];
    let outcome = Ok(Answer::Inspected(inspections));
    let message = Message::Answer { id: RequestId::default(), slot: Slot::default(), isolated: true, outcome };
    let mut length = Length::default();
    encode(&Envelope { from: NodeId(1), to: NodeId(2), origin: ORIGIN, message }, CLUSTER, &mut length);
    assert!(length.0 <= limits::MAX_FRAME, "{length:?}");
}

#[test]
fn a_decoded_value_shares_the_frame() {
    let value = Value { bytes: vec![7; 1_000].into(), media: Bytes::new() };
    let entry = Entry { value, version: Version::ZERO, deadline: None };
    let change = Change::Put(entry);
    let message = Message::Replicate { id: RequestId::default(), key: Key::new("k").unwrap(), change };
    let frame = Bytes::from(bytes_of(&Envelope { from: NodeId(1), to: NodeId(2), origin: ORIGIN, message }));
    let inside = frame.as_ptr_range();
    let Ok(Envelope { message: Message::Replicate { change: Change::Put(entry), .. }, .. }) =
        decode(frame.clone(), CLUSTER)
    else {
        panic!("not what was encoded")
    };
    assert!(inside.contains(&entry.value.bytes.as_ptr()));
}

#[test]
fn cluster_tags_are_pinned() {
    assert_eq!(ClusterTag::of("vitrine"), ClusterTag(0x184c_4cb4_af5f_d5b7));
    assert_ne!(ClusterTag::of("vitrine"), ClusterTag::of("vitrine2"));
}
