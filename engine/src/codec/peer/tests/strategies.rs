//! Messages of every kind, drawn at random.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use core::time::Duration;

use proptest::collection::vec as many;
use proptest::prelude::*;

use super::super::*;
use crate::error::Failure;
use crate::id::{Lanes, NodeId, RequestId, SLOTS, Slot, Version};
use crate::map::{Edition, Map, Member, Phase, Wish};
use crate::message::{Contact, Origin, Path, Reach, Slots, Standing, Wanted};
use crate::request::{
    Answer, Condition, Entry, Holding, Inspection, Key, Operation, ReadLevel, Request, Value, WriteLevel,
};
use crate::time::UnixMs;

pub(in crate::codec) fn id() -> impl Strategy<Value = RequestId> {
    (any::<u16>(), any::<u64>()).prop_map(|(node, serial)| RequestId { node: NodeId(node), serial })
}

pub(in crate::codec) fn version() -> impl Strategy<Value = Version> {
    (any::<u64>(), any::<u16>()).prop_map(|(stamp, node)| Version { stamp, node: NodeId(node) })
}

pub(in crate::codec) fn deadline() -> impl Strategy<Value = Option<UnixMs>> {
    any::<Option<u64>>().prop_map(|deadline| deadline.map(UnixMs))
}

pub(in crate::codec) fn slot() -> impl Strategy<Value = Slot> {
    (0..SLOTS).prop_map(|number| Slot::new(number).unwrap())
}

pub(in crate::codec) fn key() -> impl Strategy<Value = Key> {
    let length = prop_oneof![40 => 1_usize..40, 1 => Just(limits::MAX_KEY)];
    length.prop_flat_map(|length| many(any::<u8>(), length)).prop_map(|bytes| Key::new(bytes).unwrap())
}

pub(in crate::codec) fn value() -> impl Strategy<Value = Value> {
    (many(any::<u8>(), 0..200), many(any::<u8>(), 0..=limits::MAX_MEDIA))
        .prop_map(|(bytes, media)| Value { bytes: bytes.into(), media: media.into() })
}

pub(in crate::codec) fn entry() -> impl Strategy<Value = Entry> {
    (value(), version(), deadline()).prop_map(|(value, version, deadline)| Entry { value, version, deadline })
}

pub(in crate::codec) fn holding() -> impl Strategy<Value = Holding> {
    let marks = (version(), any::<bool>(), version());
    (any::<Option<(u64, u16)>>(), deadline(), any::<u64>(), any::<Option<u32>>(), marks).prop_map(
        |(held, deadline, bytes, rank, (floor, doubt, before))| {
            let version = held.map(|(stamp, node)| Version { stamp, node: NodeId(node) });
            Holding { version, deadline, bytes, rank, floor, doubt, before }
        },
    )
}

pub(in crate::codec) fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        Just(Condition::Always),
        Just(Condition::Absent),
        Just(Condition::Present),
        version().prop_map(Condition::Is),
        version().prop_map(Condition::OlderThan),
    ]
}

pub(in crate::codec) fn operation() -> impl Strategy<Value = Operation> {
    let read = prop::sample::select(vec![ReadLevel::Primary, ReadLevel::One, ReadLevel::Quorum]);
    let write = || prop::sample::select(vec![WriteLevel::One, WriteLevel::Live, WriteLevel::Quorum, WriteLevel::All]);
    prop_oneof![
        read.prop_map(|level| Operation::Get { level }),
        (value(), deadline(), condition(), write()).prop_map(|(value, deadline, condition, level)| Operation::Set {
            value,
            deadline,
            condition,
            level
        }),
        (condition(), write()).prop_map(|(condition, level)| Operation::Delete { condition, level }),
        Just(Operation::Inspect),
        (any::<i64>(), write()).prop_map(|(by, level)| Operation::Increment { by, level }),
        (deadline(), write()).prop_map(|(deadline, level)| Operation::Touch { deadline, level }),
    ]
}

pub(in crate::codec) fn request() -> impl Strategy<Value = Request> {
    (key(), operation(), 0..=60_000_000_u64).prop_map(|(key, operation, micros)| Request {
        key,
        operation,
        timeout: Duration::from_micros(micros),
    })
}

pub(in crate::codec) fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        prop::sample::select(limits::REACHED.to_vec()).prop_map(|limit| Failure::Busy { limit }),
        any::<(u8, u8)>().prop_map(|(needed, alive)| Failure::Unavailable { needed, alive }),
        Just(Failure::Timeout),
        any::<u8>().prop_map(|copies| Failure::Indeterminate { copies }),
        any::<(u64, u64)>().prop_map(|(bytes, limit)| Failure::TooLarge { bytes, limit }),
        any::<Option<u16>>().prop_map(|node| Failure::NotPrimary { primary: node.map(NodeId) }),
        Just(Failure::Stopping),
        Just(Failure::NotANumber),
        Just(Failure::Overflow),
        Just(Failure::ReadOnly),
    ]
}

pub(in crate::codec) fn answer() -> impl Strategy<Value = Answer> {
    let inspection =
        (any::<u16>(), prop::option::of(holding())).prop_map(|(node, held)| Inspection { node: NodeId(node), held });
    prop_oneof![
        entry().prop_map(Answer::Found),
        Just(Answer::Missing),
        (version(), any::<u8>(), any::<bool>()).prop_map(|(version, copies, created)| Answer::Stored {
            version,
            copies,
            created
        }),
        any::<(u8, bool)>().prop_map(|(copies, existed)| Answer::Deleted { copies, existed }),
        prop::option::of(version()).prop_map(|present| Answer::Unmet { present }),
        many(inspection, 0..9).prop_map(Answer::Inspected),
        (any::<i64>(), version(), any::<u8>(), any::<bool>())
            .prop_map(|(value, version, copies, created)| Answer::Added { value, version, copies, created }),
        (version(), any::<u8>()).prop_map(|(version, copies)| Answer::Touched { version, copies }),
    ]
}

pub(in crate::codec) fn edition() -> impl Strategy<Value = Edition> {
    any::<(u64, u16, u64)>().prop_map(|(epoch, by, boot)| Edition { epoch: Epoch(epoch), by: NodeId(by), boot })
}

pub(in crate::codec) fn name() -> impl Strategy<Value = String> {
    "[a-zé.:-]{1,20}"
}

pub(in crate::codec) fn map() -> impl Strategy<Value = Map> {
    let zones = (name(), prop::option::of(name()));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let member = (any::<u16>(), name(), 1_u32..9, 1_u32..9, flags, zones, name());
    let phase = prop::sample::select(vec![Phase::Filling, Phase::Handing]);
    (edition(), phase, many(member, 1..5), any::<u16>(), 1_u8..8, 1_u16..9).prop_map(
        |(edition, phase, members, highest, replicas, virtual_nodes)| {
            let member = |(
                id,
                (_, name, weight, was, (leaving, away, was_away, sole), (zone, moved_from), address),
            ): (u16, _)| {
                Member {
                    id: NodeId(id),
                    name,
                    weight,
                    was,
                    leaving,
                    away,
                    was_away,
                    sole,
                    zone,
                    moved_from,
                    peer_address: address,
                    http_address: String::new(),
                }
            };
            let members = (7..).zip(members).map(member).collect();
            let Edition { epoch, by, boot } = edition;
            let highest = NodeId(highest);
            Map { epoch, by, boot, phase, members, highest, replicas, virtual_nodes }
        },
    )
}

pub(in crate::codec) fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        (name(), any::<u32>(), name(), name(), name()).prop_map(|(name, weight, zone, peer_address, http_address)| {
            Wish::Join { name, weight, zone, peer_address, http_address }
        }),
        (name(), any::<u32>()).prop_map(|(name, weight)| Wish::Weight { name, weight }),
        (name(), name()).prop_map(|(name, zone)| Wish::Zone { name, zone }),
        (name(), any::<bool>()).prop_map(|(name, force)| Wish::Leave { name, force }),
    ]
}

pub(in crate::codec) fn standing() -> impl Strategy<Value = Standing> {
    let numbers = any::<(u64, u32, u64, u64, bool, u32, bool, u32)>();
    (numbers, version(), reach(), edition()).prop_map(
        |((boot, lapses, life, over, filled, steps, failing, skips), settled, reach, edition)| Standing {
            boot,
            lapses,
            settled,
            life,
            over,
            reach,
            edition,
            filled,
            steps,
            failing,
            skips,
        },
    )
}

pub(in crate::codec) fn reach() -> impl Strategy<Value = Reach> {
    let contact = prop::sample::select(vec![Contact::None, Contact::Relayed, Contact::Direct]);
    many(contact, 0..40).prop_map(|contacts| Reach::of((0..).map(NodeId).zip(contacts)))
}

pub(in crate::codec) fn path() -> impl Strategy<Value = Path> {
    prop::sample::select(vec![Path::Direct, Path::Routed])
}

pub(in crate::codec) fn listed() -> impl Strategy<Value = Message> {
    let floors = many((slot(), version()), 0..9);
    let keys = many((key(), version()), 0..9);
    (id(), slot(), any::<(u64, u64)>(), any::<u64>(), any::<Option<u64>>(), floors, keys).prop_map(
        |(id, slot, (lanes, vouches), cursor, next, floors, keys)| Message::Listed {
            id,
            slot,
            lanes: Lanes(lanes),
            cursor,
            next,
            vouches: Lanes(vouches),
            floors,
            keys,
        },
    )
}

fn lives() -> impl Strategy<Value = Vec<(NodeId, u64)>> {
    many((any::<u16>().prop_map(NodeId), any::<u64>()), 0..5)
}

/// Few of them, or so many that they are not named one by one.
pub(in crate::codec) fn slots() -> impl Strategy<Value = Option<Slots>> {
    let few = many(slot(), 0..9).prop_map(|slots| slots.into_iter().collect());
    let much = any::<u16>().prop_map(|step| Slot::all().filter(|slot| slot.number() % (step % 16 + 1) == 0).collect());
    prop_oneof![Just(None), few.prop_map(Some), much.prop_map(Some)]
}

fn compared() -> impl Strategy<Value = Message> {
    let digests = many((slot(), any::<u64>()), 0..9);
    (id(), slot(), any::<(u64, u64)>(), any::<Option<u64>>(), digests).prop_map(
        |(id, slot, (lanes, cursor), next, digests)| Message::Compared {
            id,
            slot,
            lanes: Lanes(lanes),
            cursor,
            next,
            digests,
        },
    )
}

pub(in crate::codec) fn message() -> impl Strategy<Value = Message> {
    let outcome = prop_oneof![answer().prop_map(Ok), failure().prop_map(Err)];
    let change = prop_oneof![entry().prop_map(Change::Put), version().prop_map(|version| Change::Remove { version })];
    let refused = version().prop_map(|held| Verdict::Refused { held });
    let verdict = prop_oneof![Just(Verdict::Applied), Just(Verdict::Unlogged), refused];
    prop_oneof![
        (id(), any::<(u64, u8)>(), request()).prop_map(|(id, (boot, hops), request)| Message::Forward {
            id,
            boot,
            hops,
            request
        }),
        (id(), slot(), any::<bool>(), outcome).prop_map(|(id, slot, isolated, outcome)| Message::Answer {
            id,
            slot,
            isolated,
            outcome
        }),
        (id(), key(), change).prop_map(|(id, key, change)| Message::Replicate { id, key, change }),
        (id(), slot(), version(), verdict).prop_map(|(id, slot, version, verdict)| Message::Replicated {
            id,
            slot,
            version,
            verdict
        }),
        (id(), key(), prop::sample::select(vec![Wanted::Facts, Wanted::Value, Wanted::Copy, Wanted::Version]))
            .prop_map(|(id, key, wanted)| Message::Fetch { id, key, wanted }),
        (id(), slot(), holding(), prop::option::of(entry())).prop_map(|(id, slot, holding, entry)| Message::Fetched {
            id,
            slot,
            holding,
            entry
        }),
        (any::<u64>(), path(), standing()).prop_map(|(serial, path, standing)| Message::Ping {
            serial,
            path,
            standing
        }),
        (any::<u64>(), path(), standing()).prop_map(|(serial, path, standing)| Message::Pong {
            serial,
            path,
            standing
        }),
        many(any::<u8>(), 0..99).prop_map(|data| Message::Gossip { data: data.into() }),
        (id(), any::<(u64, u64, bool)>(), version(), slots(), lives()).prop_map(
            |(id, (lanes, cursor, gained), since, slots, lives)| {
                Message::Sync { id, lanes: Lanes(lanes), since, cursor, gained, slots, lives }
            }
        ),
        listed(),
        (id(), any::<(u64, u64)>(), version(), lives()).prop_map(|(id, (lanes, cursor), since, lives)| {
            Message::Compare { id, lanes: Lanes(lanes), since, cursor, lives }
        }),
        compared(),
        map().prop_map(|map| Message::Map { map: Arc::new(map) }),
        wish().prop_map(|wish| Message::Wish { wish }),
    ]
}

pub(in crate::codec) fn envelope() -> impl Strategy<Value = Envelope> {
    (any::<(u16, u16, u64, u64)>(), message()).prop_map(|((from, to, boot, epoch), message)| Envelope {
        from: NodeId(from),
        to: NodeId(to),
        origin: Origin { boot, epoch: Epoch(epoch) },
        message,
    })
}
