//! What goes into the log, what waits for it, and what comes out of it again.

use alloc::vec;

use super::*;
use crate::codec::peer::ClusterTag;
use crate::codec::wal::{self, Header, Scan};
use crate::effect::{Event, Served};
use crate::id::Lsn;
use crate::record::Record;
use crate::store::Cause;

/// Lets a node act whose log goes on with that number: what it asks for, and what it writes down.
pub(super) fn logged(
    trio: &mut Trio,
    node: NodeId,
    next: u64,
    act: impl FnOnce(&mut Shard, Time, &View, &mut Outbox),
) -> (Vec<Effect>, Vec<Record>) {
    let index = usize::from(node.0) - 1;
    let mut out = Outbox::new();
    out.log_from(Some(Lsn(next)));
    act(&mut trio.shards[index], trio.now, &trio.views[index], &mut out);
    assert_eq!(out.next_lsn(), Some(Lsn(next + out.records.len() as u64)));
    (out.effects, out.records)
}

fn after(effect: &Effect) -> Option<u64> {
    effect.after().map(|lsn| lsn.0)
}

pub(super) fn submit(key: &Key, operation: Operation) -> impl FnOnce(&mut Shard, Time, &View, &mut Outbox) {
    let request = Request { key: key.clone(), operation, timeout: Duration::from_secs(2) };
    move |shard, time, view, out| shard.submit(time, view, ClientToken(77), request, out)
}

#[test]
fn an_answer_waits_for_its_own_record_and_so_does_a_confirmation() {
    let (mut trio, key) = Trio::with_key();
    let (sent, records) = logged(&mut trio, N1, 10, submit(&key, set("v", WriteLevel::Live)));
    assert!(matches!(&records[..], [Record::Put { key: of, entry }] if *of == key && entry.value.bytes == "v"));
    assert_eq!(sent.iter().map(after).collect::<Vec<_>>(), [None, None], "all write it down at the same time");
    let mut confirmed = Vec::new();
    for effect in sent {
        let Effect::Send { to, message, .. } = effect else { panic!("{effect:?}") };
        let again = message.clone();
        let (answer, records) = logged(&mut trio, to, 20, |shard, time, view, out| {
            shard.receive(time, view, N1, message, out);
        });
        assert_eq!((answer.iter().map(after).collect::<Vec<_>>(), records.len()), (vec![Some(20)], 1));
        // A change that is known already may have been written down and not be on disk yet.
        let (answer, records) = logged(&mut trio, to, 21, |shard, time, view, out| {
            shard.receive(time, view, N1, again, out);
        });
        assert_eq!((answer.iter().map(after).collect::<Vec<_>>(), records.len()), (vec![Some(20)], 0));
        let Effect::Send { message, .. } = answer.into_iter().next().unwrap() else { panic!("a confirmation") };
        confirmed.push((to, message));
    }
    // Something else is written down before the answer is due: it does not wait for that.
    let other = Key::new("other").unwrap();
    trio.at(N1, |_, _, _, _| ());
    logged(&mut trio, N1, 11, |shard, time, _, out| {
        let version = Version { stamp: u64::MAX >> 2, node: N2 };
        shard.replicate(time, N2, RequestId::default(), &other, Change::Remove { version }, out);
    });
    let (mut answers, mut records) = (Vec::new(), Vec::new());
    for (from, message) in confirmed {
        let (more, written) = logged(&mut trio, N1, 12, |shard, time, view, out| {
            shard.receive(time, view, from, message, out);
        });
        answers.extend(more);
        records.extend(written);
    }
    assert!(matches!(&answers[..], [Effect::Reply { outcome: Ok(_), after: Some(Lsn(10)), .. }]), "{answers:?}");
    assert_eq!(records, []);
}

#[test]
fn a_failure_waits_for_nothing_and_a_touch_writes_no_value() {
    let (mut trio, key) = Trio::with_key();
    trio.alive(&[N1]);
    let (answers, _) = logged(&mut trio, N1, 1, submit(&key, set("v", WriteLevel::Live)));
    assert_eq!(answers.iter().map(after).collect::<Vec<_>>(), [Some(1)]);
    let (answers, records) = logged(&mut trio, N1, 2, submit(&key, set("w", WriteLevel::All)));
    assert_eq!((answers.iter().map(after).collect::<Vec<_>>(), records.len()), (vec![None], 0));
    let deadline = Some(UnixMs(START + 60_000));
    let (answers, records) =
        logged(&mut trio, N1, 2, submit(&key, Operation::Touch { deadline, level: WriteLevel::Live }));
    assert_eq!(answers.iter().map(after).collect::<Vec<_>>(), [Some(2)]);
    assert!(matches!(&records[..], [Record::Touch { deadline: seen, .. }] if *seen == deadline), "{records:?}");
    let (_, records) = logged(
        &mut trio,
        N1,
        3,
        submit(&key, Operation::Delete { condition: Condition::Always, level: WriteLevel::Live }),
    );
    assert!(matches!(&records[..], [Record::Remove { .. }]), "{records:?}");
}

pub(super) type Contents = BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>, Version, Option<UnixMs>)>;

pub(super) fn contents(shard: &Shard) -> Contents {
    let all = shard.store().by_recency();
    all.map(|(key, entry)| (key.to_vec(), (entry.value.to_vec(), entry.media.to_vec(), entry.version, entry.deadline)))
        .collect()
}

/// Wherever the log ends, what is read of it is what was there when its last whole record was written.
#[test]
fn a_log_that_is_cut_at_any_byte_gives_what_was_there_then() {
    let mut trio = Trio::new(Limits::default());
    trio.alive(&[N1]);
    let mut rng = Rng::new(7, "log");
    let header = Header { cluster: ClusterTag(0), node: N1, first: Lsn(1), begun: UnixMs(START), salt: 42 };
    let mut log = Vec::new();
    wal::put_header(&header, &mut log);
    let mut states = vec![contents(&trio.shards[0])];
    for _ in 0..150 {
        let key = Key::new(format!("k{}", rng.below(6))).unwrap();
        let level = WriteLevel::Live;
        let deadline = rng.chance(300_000).then(|| UnixMs(START + rng.between(500_000, 900_000)));
        let condition = [Condition::Always, Condition::Absent, Condition::Present][rng.below(3) as usize];
        let value = Value {
            bytes: if rng.chance(500_000) { format!("{}", rng.below(100)).into() } else { Bytes::new() },
            media: if rng.chance(200_000) { Bytes::from_static(b"a/b") } else { Bytes::new() },
        };
        let operation = match rng.below(5) {
            0 | 1 => Operation::Set { value, deadline, condition, level },
            2 => Operation::Delete { condition: Condition::Always, level },
            3 => Operation::Increment { by: rng.between(1, 9) as i64, level },
            _ => Operation::Touch { deadline, level },
        };
        let (_, records) = logged(&mut trio, N1, states.len() as u64, submit(&key, operation));
        assert!(records.len() <= 1, "{records:?}");
        for record in records {
            wal::put_record(header.salt, Lsn(states.len() as u64), &record, &mut log);
            states.push(contents(&trio.shards[0]));
        }
    }
    assert!(states.len() > 80, "{} records", states.len());
    for cut in wal::HEADER..=log.len() {
        let mut scan = Scan::new(Bytes::copy_from_slice(&log[..cut])).expect("the header is there");
        let mut shard = shard(N1, Limits::default(), trio.now);
        let mut read = 0;
        for (_, _, record) in scan.by_ref() {
            shard.recover(trio.now, &record, &mut Outbox::new());
            read += 1;
        }
        assert_eq!(contents(&shard), states[read], "cut at {cut}");
        assert!(read + 1 < states.len() || cut == log.len());
    }
}

#[test]
fn what_is_read_back_keeps_its_floors_and_expires_when_it_should() {
    let trio = Trio::new(Limits::default());
    let mut shard = shard(N1, Limits::default(), trio.now);
    let mut out = Outbox::watching();
    let version = |stamp| Version { stamp, node: N2 };
    let (late, gone) = (Key::new("late").unwrap(), Key::new("gone").unwrap());
    let value = Value { bytes: Bytes::from_static(b"v"), media: Bytes::new() };
    let put = |key: &Key, stamp, deadline| {
        let entry = Entry { value: value.clone(), version: version(stamp), deadline };
        Record::Put { key: key.clone(), entry }
    };
    let (moved, fetched) = (Key::new("moved").unwrap(), Key::new("fetched of {gone}").unwrap());
    assert_eq!(fetched.slot(), gone.slot());
    let records = [
        put(&late, 5, None),
        put(&late, 6, Some(UnixMs(START - 1))),
        put(&gone, 7, None),
        Record::Remove { key: gone.clone(), version: version(9) },
        // What was overtaken is nothing new.
        put(&late, 5, None),
        // What was fetched may be older than what its slot has seen go.
        put(&fetched, 8, None),
        Record::Touch { key: late.clone(), from: version(5), version: version(10), deadline: None },
        // This one has passed too, and was moved before it did.
        put(&moved, 11, Some(UnixMs(START - 5_000))),
        Record::Touch { key: moved.clone(), from: version(11), version: version(12), deadline: None },
    ];
    for record in &records {
        shard.recover(trio.now, record, &mut out);
    }
    shard.expire(trio.now.unix, &mut out);
    let kept = [(&moved, 12), (&fetched, 8)]
        .map(|(key, stamp)| (key.as_bytes().to_vec(), (b"v".to_vec(), Vec::new(), version(stamp), None)));
    let kept = Contents::from(kept);
    assert_eq!(contents(&shard), kept);
    assert_eq!((shard.floors.floor(late.slot()), shard.floors.floor(gone.slot())), (version(6), version(9)));
    assert_eq!(shard.gone.floor(gone.slot()), version(9));
    assert!(shard.latest() >= version(12), "versions go on above what was read");
    assert_eq!(out.records, [], "what was read is not written again");
}

/// What was read often stayed while the node served, and is the first to go while its log is read, in which nobody
/// reads: the touch that comes later in the log finds nothing.
#[test]
fn what_has_no_room_while_the_log_is_read_goes_under_its_latest_version() {
    let limits = Limits { entries: Some(1), bytes: None };
    let trio = Trio::new(limits);
    let mut shard = shard(N1, limits, trio.now);
    let mut out = Outbox::watching();
    let version = |stamp| Version { stamp, node: N2 };
    let (read, other) = (Key::new("read").unwrap(), Key::new("other").unwrap());
    let put = |key: &Key, stamp| {
        let value = Value { bytes: Bytes::from_static(b"v"), media: Bytes::new() };
        Record::Put { key: key.clone(), entry: Entry { value, version: version(stamp), deadline: None } }
    };
    let touch =
        |from, to| Record::Touch { key: read.clone(), from: version(from), version: version(to), deadline: None };
    for record in [put(&read, 5), put(&other, 6), touch(5, 7), touch(7, 8)] {
        shard.recover(trio.now, &record, &mut out);
    }
    assert_eq!(contents(&shard).keys().collect::<Vec<_>>(), [other.as_bytes()]);
    assert_eq!(shard.floors.floor(read.slot()), version(8));
    let told = out.events.iter().filter_map(|event| match event {
        Event::Dropped { key, version, cause } => Some((key.clone(), *version, *cause)),
        _ => None,
    });
    let gone = |stamp| (read.clone(), version(stamp), Cause::Entries);
    assert_eq!(told.collect::<Vec<_>>(), [gone(5), gone(7), gone(8)]);
    assert_eq!(shard.counters().evicted_entries, 1, "one entry had no room");
    // A touch of something that has not been here says nothing.
    shard.recover(trio.now, &touch(9, 10), &mut out);
    assert_eq!(shard.floors.floor(read.slot()), version(8));
}

#[test]
fn while_writes_are_refused_none_is_decided_and_those_of_others_are_taken_in() {
    let (mut trio, key) = Trio::with_key();
    let refuse = |trio: &mut Trio, node: NodeId, why| trio.shards[usize::from(node.0) - 1].refuse_writes(why);
    refuse(&mut trio, N1, Some(Failure::ReadOnly));
    for operation in
        [set("v", WriteLevel::One), Operation::Delete { condition: Condition::Always, level: WriteLevel::One }]
    {
        let (said, records) = logged(&mut trio, N1, 10, submit(&key, operation));
        assert!(matches!(&said[..], [Effect::Reply { outcome: Err(Failure::ReadOnly), after: None, .. }]), "{said:?}");
        assert_eq!(records, []);
    }
    let (said, _) = logged(&mut trio, N1, 10, submit(&key, Operation::Get { level: ReadLevel::Primary }));
    assert!(matches!(&said[..], [Effect::Reply { outcome: Ok(Answer::Missing), .. }]), "{said:?}");
    refuse(&mut trio, N1, None);
    refuse(&mut trio, N2, Some(Failure::ReadOnly));
    let (sent, records) = logged(&mut trio, N1, 10, submit(&key, set("v", WriteLevel::Live)));
    assert_eq!(records.len(), 1);
    let change = sent.into_iter().find_map(|effect| match effect {
        Effect::Send { to: N2, message, .. } => Some(message),
        _ => None,
    });
    let (said, records) = logged(&mut trio, N2, 20, |shard, time, view, out| {
        shard.receive(time, view, N1, change.expect("a replica is told"), out);
    });
    assert_eq!(records.len(), 1);
    let [
        Effect::Send { to: N1, message: answer @ Message::Replicated { verdict: Verdict::Unlogged, .. }, after: None },
    ] = &said[..]
    else {
        panic!("it has it in memory alone, and says so at once: {said:?}");
    };
    let third = logged(&mut trio, N1, 11, |shard, time, view, out| {
        shard.receive(time, view, N2, answer.clone(), out);
    });
    assert_eq!(third, (vec![], vec![]), "another is waited for");
    let confirmed = match answer.clone() {
        Message::Replicated { id, slot, version, .. } => {
            Message::Replicated { id, slot, version, verdict: Verdict::Applied }
        }
        _ => unreachable!("it was one above"),
    };
    let (said, _) = logged(&mut trio, N1, 11, |shard, time, view, out| shard.receive(time, view, N3, confirmed, out));
    let [Effect::Reply { outcome: Ok(Answer::Stored { copies, .. }), .. }] = &said[..] else { panic!("{said:?}") };
    assert_eq!(*copies, 2, "what is in memory alone is no copy");
}

#[test]
fn what_waits_for_a_record_that_is_not_written_says_so_at_once() {
    let version = |stamp| Version { stamp, node: N2 };
    let unknown = || Err(Failure::Indeterminate { copies: 0 });
    let after = Some(Lsn(3));
    let (id, slot) = (RequestId { node: N2, serial: 7 }, Slot::new(5).unwrap());
    let stored = || Ok(Answer::Stored { version: version(1), created: true, copies: 1 });
    let send = |message, after| Effect::Send { to: N2, message, after };
    let confirmed = |verdict| Message::Replicated { id, slot, version: version(1), verdict };
    let reply = |outcome, after| Effect::Reply {
        client: ClientToken(1),
        outcome,
        served: Served { by: N1, isolated: false },
        after,
    };
    let refused = Verdict::Refused { held: version(2) };
    for (waits, says) in [
        (reply(stored(), after), reply(unknown(), None)),
        (
            send(Message::Answer { id, slot, isolated: true, outcome: stored() }, after),
            send(Message::Answer { id, slot, isolated: true, outcome: unknown() }, None),
        ),
        (send(confirmed(Verdict::Applied), after), send(confirmed(Verdict::Unlogged), None)),
        // What waits for nothing is what it is.
        (reply(stored(), None), reply(stored(), None)),
        (send(confirmed(refused), None), send(confirmed(refused), None)),
    ] {
        assert_eq!(waits.unlogged(), Some(says));
    }
}

#[test]
fn a_clock_that_was_set_back_revives_nothing_and_ends_nothing_early() {
    let mut trio = Trio::new(Limits::default());
    let key = |name: &str| Key::new(Bytes::copy_from_slice(name.as_bytes())).unwrap();
    // The last version of the log is of twenty seconds after START, and may be ten ahead of the time, as after a
    // restart; the node starts again an hour before.
    let version = |ms: u64| Version::new(UnixMs(START + ms), 0, N1);
    let put = |name: &str, deadline: Option<u64>| Record::Put {
        key: key(name),
        entry: Entry {
            value: Value { bytes: Bytes::from_static(b"v"), media: Bytes::new() },
            version: version(1),
            deadline: deadline.map(|ms| UnixMs(START + ms)),
        },
    };
    let records = [put("over", Some(5_000)), put("not yet", Some(12_000)), put("for ever", None)];
    let last = Record::Floor { slot: key("x").slot(), version: version(20_000) };
    trio.now.unix = UnixMs(START - 3_600_000);
    let (mut shard, mut out) = (trio.shard(N1), Outbox::new());
    records.iter().chain([&last]).for_each(|record| shard.recover(trio.now, record, &mut out));
    shard.recovered(trio.now, &mut out);
    let there = |shard: &Shard| contents(shard).into_keys().collect::<Vec<_>>();
    assert_eq!(there(&shard), [b"for ever".to_vec(), b"not yet".to_vec()]);
    // Where the clock is right, its own time counts.
    trio.now.unix = UnixMs(START + 20_000);
    let (mut shard, mut out) = (trio.shard(N1), Outbox::new());
    records.iter().for_each(|record| shard.recover(trio.now, record, &mut out));
    shard.recovered(trio.now, &mut out);
    assert_eq!(there(&shard), [b"for ever".to_vec()]);
}

#[test]
fn entries_of_slots_that_have_moved_away_are_freed_after_a_start_once_the_map_is_known() {
    let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
    let map = Arc::new(Map::first((1..=3).map(member).collect(), 1, 16));
    let view = View::first(N1, map);
    let keys: Vec<Key> = (0..200).map(|number| Key::new(format!("k{number}")).unwrap()).collect();
    let version = Version::new(UnixMs(START), 0, N1);
    let value = Value { bytes: Bytes::from_static(b"v"), media: Bytes::new() };
    let trio = Trio::new(Limits::default());
    let (mut shard, mut out) = (trio.shard(N1), Outbox::new());
    for key in &keys {
        let entry = Entry { value: value.clone(), version, deadline: None };
        shard.recover(trio.now, &Record::Put { key: key.clone(), entry }, &mut out);
    }
    let mut held_after = |view: &View, ms: u64| {
        let time = Time { instant: Instant(ms * 1_000), unix: UnixMs(START + ms) };
        shard.view_changed(time, view, &mut out);
        shard.tick(time, view, &mut out);
        contents(&shard).len()
    };
    let next = |view: &View, sure| view.with_alive(|_| true).sure(sure);
    let unsure = next(&view, false);
    assert_eq!(held_after(&unsure, 1), keys.len(), "by a later map it may keep them all");
    let kept = keys.iter().filter(|key| view.is_replica(key.slot())).count();
    assert!((1..keys.len()).contains(&kept));
    assert_eq!(held_after(&next(&unsure, true), 2), kept);
}
