//! A replica that was away: the pull page by page, what is listed, and what the answers of others make of a key.

use super::*;
use crate::limits::{MAX_PAGE_BYTES, MAX_PAGE_FLOORS, MAX_PAGE_KEYS, MAX_SETTLING};
use crate::message::Wanted;
use crate::view::Pull;

/// n3 and the two others believe no longer in each other.
pub(super) fn part(trio: &mut Trio) {
    for (node, alive) in [(N1, &[N1, N2][..]), (N2, &[N1, N2]), (N3, &[N3])] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.with_alive(|other| alive.contains(&other));
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
}

/// Everybody believes in everybody once more, and may have missed what was written after that version. Nothing is
/// delivered yet.
pub(super) fn meet(trio: &mut Trio, since: Version) {
    for node in [N1, N2, N3] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        let pull = |other| {
            let Pull { round, losses, .. } = view.pull(other).unwrap();
            Pull { round: round + 1, losses: losses + 1, since, ..view.pull(other).unwrap() }
        };
        *view = view.with(|_| true, pull);
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
}

/// A version such that all before this moment is older, and all after it is newer.
pub(super) fn moment(trio: &mut Trio) -> Version {
    trio.wait(20_000);
    let version = Version::new(trio.now.unix, 0, NodeId(0));
    trio.wait(1);
    version
}

fn is(message: &Message, kind: &str) -> bool {
    message.kind() == kind
}

/// Each node has heard the others out, and nothing is under way.
pub(super) fn check_quiet(trio: &Trio) {
    assert!(trio.bus.is_empty());
    let quiet = |shard: &Shard| shard.in_doubt().is_empty() && shard.in_flight() == 0;
    assert_eq!([0, 1, 2].map(|node| quiet(&trio.shards[node])), [true; 3]);
}

fn carry_all_and_wait(trio: &mut Trio) {
    for _ in 0..30 {
        trio.carry_all();
        trio.wait(200);
    }
    trio.carry_all();
}

pub(super) fn delete() -> Operation {
    Operation::Delete { condition: Condition::Always, level: WriteLevel::Live }
}

/// `count` keys of that length, all different.
pub(super) fn keys(count: usize, length: usize) -> Vec<Key> {
    (0..count).map(|number| Key::new(format!("{number:0length$}")).unwrap()).collect()
}

/// All three have the key; then n3 is parted from the others, who write `new`.
fn away(level: WriteLevel) -> (Trio, Key, Version) {
    let (mut trio, key) = Trio::with_key();
    trio.done(N1, &key, set("old", level)).unwrap();
    let since = moment(&mut trio);
    part(&mut trio);
    trio.done(N1, &key, set("new", level)).unwrap();
    assert_eq!(trio.held(N3, &key), Some(&b"old"[..]));
    (trio, key, since)
}

#[test]
fn what_was_missed_is_pulled_whatever_is_lost_on_the_way() {
    for lost in ["sync", "listed", "fetch", "fetched"] {
        let (mut trio, key, since) = away(WriteLevel::Live);
        meet(&mut trio, since);
        let mut first = true;
        trio.carry(|_, to, message| {
            let drops = first && is(message, lost) && (to == N3 || lost == "sync" || lost == "fetch");
            first &= !drops;
            !drops
        });
        assert!(!first, "no {lost} was sent");
        carry_all_and_wait(&mut trio);
        assert_eq!(trio.held(N3, &key), Some(&b"new"[..]), "without the first {lost}");
        check_quiet(&trio);
    }
}

#[test]
fn a_page_that_comes_twice_or_late_changes_nothing() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    let mut pages = Vec::new();
    trio.carry(|from, to, message| {
        if is(message, "listed") {
            pages.push((from, to, message.clone()));
        }
        true
    });
    // Each came once. They come again while nothing runs, and once more while another pull does.
    let pulled = [N1, N2, N3].map(|node| trio.counters(node).pulled);
    trio.bus.extend(pages.clone());
    trio.carry_all();
    assert_eq!([N1, N2, N3].map(|node| trio.counters(node).pulled), pulled);
    part(&mut trio);
    trio.done(N1, &key, set("newer", WriteLevel::Live)).unwrap();
    meet(&mut trio, since);
    let questions = core::mem::take(&mut trio.bus);
    trio.bus.extend(pages);
    trio.carry_all();
    assert!(!trio.shards[2].in_doubt().is_empty(), "pages of an earlier pull are no answer to this one");
    trio.bus = questions;
    trio.carry_all();
    assert_eq!(trio.held(N3, &key), Some(&b"newer"[..]));
    check_quiet(&trio);
}

#[test]
fn a_pull_that_is_overtaken_by_another_absence_counts_for_nothing() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    // Up to the answers about the key: they stay under way.
    let mut answers = Vec::new();
    trio.carry(|from, to, message| {
        let holds = to == N3 && is(message, "fetched");
        if holds {
            answers.push((from, to, message.clone()));
        }
        !holds
    });
    assert!(!answers.is_empty());
    part(&mut trio);
    trio.done(N1, &key, delete()).unwrap();
    meet(&mut trio, since);
    let questions = core::mem::take(&mut trio.bus);
    trio.bus.extend(answers);
    trio.carry_all();
    assert_eq!(trio.held(N3, &key), Some(&b"old"[..]), "what was said before the deletion is not believed");
    trio.bus = questions;
    trio.carry_all();
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
    check_quiet(&trio);
}

#[test]
fn a_page_is_bounded_and_the_next_one_goes_on() {
    // How many keys of which length, whether they are deleted, and how many pages n1 needs at least.
    let rows =
        [(3 * MAX_PAGE_KEYS, 5, false, 3), (40, MAX_PAGE_BYTES / 4, false, 8), (3 * MAX_PAGE_FLOORS, 5, true, 2)];
    for (count, length, deleted, least) in rows {
        let mut trio = Trio::new(Limits::default());
        let keys = keys(count, length);
        let write = |trio: &mut Trio, key, operation: Operation| {
            let primary = trio.views[0].primary(Key::slot(key)).unwrap();
            trio.done(primary, key, operation).unwrap();
        };
        if deleted {
            keys.iter().for_each(|key| write(&mut trio, key, set("v", WriteLevel::Live)));
        }
        let since = moment(&mut trio);
        part(&mut trio);
        for key in &keys {
            write(&mut trio, key, if deleted { delete() } else { set("v", WriteLevel::Live) });
        }
        meet(&mut trio, since);
        let (mut pages, mut asked) = (0, 0);
        trio.carry(|from, to, message| {
            if let Message::Listed { floors, keys, .. } = message {
                pages += u32::from((from, to) == (N1, N3) && !(floors.is_empty() && keys.is_empty()));
                // All but the last key: with that one the page may be over its bound.
                let before: usize = keys.iter().rev().skip(1).map(|(key, _)| key.as_bytes().len()).sum();
                assert!(floors.len() <= MAX_PAGE_FLOORS && keys.len() <= MAX_PAGE_KEYS && before < MAX_PAGE_BYTES);
            }
            // A key is asked about at both others, and at most so many at a time by each of two pulls.
            asked += i64::from(from == N3 && is(message, "fetch")) - i64::from(to == N3 && is(message, "fetched"));
            assert!(asked <= 4 * i64::from(MAX_SETTLING), "{asked} questions at the same time");
            true
        });
        carry_all_and_wait(&mut trio);
        assert!(pages >= least, "{pages} pages for {count} keys");
        let expected = if deleted { None } else { Some(&b"v"[..]) };
        assert!(keys.iter().all(|key| trio.held(N3, key) == expected));
        check_quiet(&trio);
    }
}

#[test]
fn what_goes_while_keys_are_listed_is_heard_of() {
    let mut trio = Trio::new(Limits::default());
    trio.shards.iter_mut().for_each(|shard| shard.tune(Tuning { batch: 1, ..Tuning::default() }));
    let keys = keys(20, 5);
    let write = |trio: &mut Trio, key: &Key, operation| {
        let primary = trio.views[0].primary(key.slot()).unwrap();
        trio.done(primary, key, operation).unwrap();
    };
    keys.iter().for_each(|key| write(&mut trio, key, set("old", WriteLevel::Live)));
    let since = moment(&mut trio);
    part(&mut trio);
    for key in &keys {
        let Operation::Set { value, condition, level, .. } = set("new", WriteLevel::Live) else { unreachable!() };
        let deadline = Some(UnixMs(trio.now.unix.0 + 1_000));
        write(&mut trio, key, Operation::Set { value, deadline, condition, level });
    }
    meet(&mut trio, since);
    // A few pages come; then all the rest expires.
    let mut pages = 0;
    let mut later = Vec::new();
    trio.carry(|from, to, message| {
        pages += u32::from(to == N3 && is(message, "listed"));
        if pages >= 8 {
            later.push((from, to, message.clone()));
        }
        pages < 8
    });
    trio.wait(1_500);
    trio.bus.extend(later);
    carry_all_and_wait(&mut trio);
    assert_eq!(keys.iter().filter(|key| trio.held(N3, key).is_some()).count(), 0);
    check_quiet(&trio);
}

#[test]
fn a_listing_that_has_begun_is_begun_anew_when_a_third_is_lost() {
    let (mut trio, _, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    let pulls = |trio: &mut Trio| {
        let mut pulls = 0;
        trio.carry(|from, to, message| {
            pulls += u32::from((from, to) == (N3, N1) && is(message, "sync"));
            false
        });
        pulls
    };
    assert_eq!(pulls(&mut trio), 1, "it is under way");
    // What n2 had and told n1 meanwhile, n1 may have got behind the place where it lists.
    let view = &mut trio.views[2];
    let pull = |node| {
        let pull = view.pull(node).unwrap();
        if node == N2 { Pull { round: pull.round + 1, losses: pull.losses + 1, ..pull } } else { pull }
    };
    *view = view.with(|node| node != N2, pull);
    trio.at(N3, |shard, time, view, out| shard.view_changed(time, view, out));
    assert_eq!(pulls(&mut trio), 1, "from its beginning");
}

#[test]
fn who_is_suspected_is_told_nothing() {
    let (mut trio, _, since) = away(WriteLevel::Live);
    let id = RequestId { node: N3, serial: 1 };
    let sync = Message::Sync { id, lanes: Lanes::ALL, since, cursor: 0, gained: false, slots: None, lives: Vec::new() };
    trio.bus.push_back((N3, N1, sync));
    trio.carry_all();
    assert_eq!(trio.counters(N1).listed, 0);
    meet(&mut trio, since);
    trio.carry_all();
    assert!(trio.counters(N1).listed > 0);
}

#[test]
fn lanes_that_live_elsewhere_over_there_are_a_pull_of_their_own() {
    let (mut trio, _, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    let half = lanes_of(0, 2);
    let mut asked = Lanes::NONE;
    let mut narrowed = 0;
    while let Some((from, to, mut message)) = trio.bus.pop_front() {
        match &mut message {
            Message::Sync { lanes, .. } if (from, to) == (N3, N1) => asked = asked.or(*lanes),
            // n1 answers as if it had two stripes.
            Message::Listed { lanes, keys, .. } if (from, to) == (N1, N3) && *lanes == Lanes::ALL => {
                *lanes = half;
                keys.retain(|(key, _)| half.contains(key.slot()));
                narrowed += 1;
            }
            _ => {}
        }
        trio.at(to, |shard, time, view, out| shard.receive(time, view, from, message, out));
    }
    assert_eq!((narrowed, asked), (1, Lanes::ALL));
    check_quiet(&trio);
}

#[test]
fn what_was_seen_go_is_remembered_by_who_has_heard_of_it() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    trio.done(N1, &key, delete()).unwrap();
    meet(&mut trio, since);
    trio.carry_all();
    assert_eq!(trio.held(N3, &key), None);
    // n3 says so itself from now on.
    let id = RequestId { node: N1, serial: 9 };
    trio.bus.push_back((N1, N3, Message::Fetch { id, key: key.clone(), wanted: Wanted::Version }));
    let mut floor = Version::ZERO;
    trio.carry(|_, _, message| {
        if let Message::Fetched { holding, .. } = message {
            floor = holding.floor;
        }
        true
    });
    assert!(floor > since, "{floor}");
}

#[test]
fn what_was_held_up_until_its_key_was_compared_is_refused() {
    for late in ["after the page", "after the pull"] {
        let (mut trio, key) = Trio::with_key();
        let since = moment(&mut trio);
        // A write to n3 is held up; then n3 is away, and the key is overwritten, and deleted.
        trio.ask(N1, &key, set("held up", WriteLevel::Live));
        let mut held = Vec::new();
        trio.carry(|from, to, message| {
            if to == N3 {
                held.push((from, to, message.clone()));
            }
            to != N3
        });
        part(&mut trio);
        trio.done(N1, &key, delete()).unwrap();
        meet(&mut trio, since);
        while let Some((from, to, message)) = trio.bus.pop_front() {
            let page = (from, to, message.kind()) == (N1, N3, "listed");
            trio.at(to, |shard, time, view, out| shard.receive(time, view, from, message, out));
            if page && late == "after the page" {
                held.drain(..).for_each(|flight| trio.bus.push_front(flight));
            }
        }
        trio.bus.extend(held);
        trio.carry_all();
        assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3], "{late}");
        assert_eq!(trio.counters(N3).refused, 1, "{late}");
    }
}

#[test]
fn nobody_vouches_for_what_is_older_than_something_that_went() {
    let (mut trio, key) = Trio::with_key();
    // Another key of the slot.
    let name = format!("{{{}}}other", core::str::from_utf8(key.as_bytes()).unwrap());
    let other = Key::new(name).unwrap();
    assert_eq!(other.slot(), key.slot());
    trio.done(N1, &other, set("v", WriteLevel::Live)).unwrap();
    let since = moment(&mut trio);
    part(&mut trio);
    trio.done(N3, &key, set("alone", WriteLevel::Live)).unwrap();
    trio.wait(5);
    trio.done(N1, &other, delete()).unwrap();
    meet(&mut trio, since);
    trio.carry_all();
    // The two have nothing and have seen something newer of the slot go: n3 drops its own, and nobody takes it.
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
    assert_eq!(trio.counters(N3).unvouched, 2, "what was deleted, and what may have been");
    assert_eq!(value(trio.done(N2, &key, get(ReadLevel::One))), None);
    check_quiet(&trio);
}

#[test]
fn an_eviction_does_not_speak_against_what_was_evicted() {
    let mut trio = Trio::new(Limits { entries: Some(1), bytes: None });
    let ordered = |key: &Key| trio.views[0].replicas(key.slot()) == [N1, N2, N3];
    let mut keys = (0..).map(|number| Key::new(format!("key{number}")).unwrap()).filter(ordered);
    let key = keys.next().unwrap();
    let other = keys.find(|other| other.slot() != key.slot()).unwrap();
    let since = moment(&mut trio);
    trio.done(N1, &key, set("v", WriteLevel::Live)).unwrap();
    part(&mut trio);
    trio.done(N1, &other, set("w", WriteLevel::Live)).unwrap();
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key).is_some()), [false, false, true]);
    meet(&mut trio, since);
    trio.carry_all();
    // What was written later takes its place here as well; nobody has said that it is wrong.
    assert_eq!([N1, N2, N3].map(|node| trio.counters(node).unvouched), [0; 3]);
    assert_eq!(trio.held(N3, &other), Some(&b"w"[..]));
    check_quiet(&trio);
}

#[test]
fn a_read_in_doubt_asks_everybody_until_all_have_answered() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    // The pull does not get through.
    trio.bus.clear();
    let client = trio.ask(N3, &key, get(ReadLevel::One));
    trio.carry(|from, to, message| !(is(message, "fetched") && (from, to) == (N1, N3)));
    assert_eq!(trio.reply(client), None, "n1 has not said what it has");
    trio.wait(200);
    trio.carry(|_, _, message| !is(message, "sync"));
    assert_eq!(value(trio.reply(client).unwrap()).as_deref(), Some(&b"new"[..]));
    assert_eq!(trio.held(N3, &key), Some(&b"new"[..]), "what was found is kept");
    // Nobody answers: after its time the read ends without having said anything.
    let client = trio.ask(N3, &key, get(ReadLevel::One));
    for _ in 0..25 {
        trio.bus.clear();
        trio.wait(100);
    }
    assert_eq!(trio.reply(client), Some(Err(Failure::Timeout)));
}

#[test]
fn answers_from_before_an_absence_do_not_count() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    trio.bus.clear();
    let client = trio.ask(N3, &key, get(ReadLevel::One));
    trio.carry(|from, _, message| !(is(message, "fetched") && from == N1));
    // n2 has answered. Then all are parted and meet again, and meanwhile the key has changed.
    trio.views[2] = trio.views[2].with_alive(|_| true);
    trio.done(N1, &key, set("newest", WriteLevel::Quorum)).unwrap();
    meet(&mut trio, since);
    trio.carry(|_, _, message| !is(message, "sync"));
    assert_eq!(value(trio.reply(client).unwrap()).as_deref(), Some(&b"newest"[..]));
}

#[test]
fn a_write_that_depends_on_what_is_there_asks_first() {
    // n1 was away; it is the primary again, and knows nothing of the value.
    let (mut trio, key) = Trio::with_key();
    let since = moment(&mut trio);
    for (node, alive) in [(N1, &[N1][..]), (N2, &[N2, N3]), (N3, &[N2, N3])] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.with_alive(|other| alive.contains(&other));
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    trio.done(N2, &key, set("behind its back", WriteLevel::Live)).unwrap();
    meet(&mut trio, since);
    trio.bus.clear();
    let absent = trio.ask(N1, &key, set_if("v", Condition::Absent, WriteLevel::Live));
    let deleted = trio.ask(N1, &key, delete());
    let plain = trio.ask(N1, &key, set("w", WriteLevel::One));
    assert_eq!([absent, deleted].map(|client| trio.reply(client)), [None, None]);
    assert!(trio.reply(plain).is_some(), "a write without a condition need not know");
    trio.bus.retain(|(_, _, message)| is(message, "fetch"));
    trio.carry(|_, _, message| is(message, "fetch") || is(message, "fetched"));
    assert!(matches!(trio.reply(absent), Some(Ok(Answer::Unmet { present: Some(_) }))));
}

#[test]
fn a_majority_with_a_doubter_in_it_is_not_enough() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    trio.bus.clear();
    let client = trio.ask(N3, &key, get(ReadLevel::Quorum));
    // n3 itself and n2 are two of three, and n3 may have missed something.
    trio.carry(|from, _, message| !(is(message, "fetched") && from == N1));
    assert_eq!(trio.reply(client), None);
    trio.wait(200);
    trio.carry(|_, _, message| !is(message, "sync"));
    assert_eq!(value(trio.reply(client).unwrap()).as_deref(), Some(&b"new"[..]));
}

#[test]
fn a_question_that_waited_for_its_turn_and_is_asked_anew_is_repeated() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    meet(&mut trio, since);
    trio.bus.clear();
    // More than are repeated at a time, and nobody answers: some wait for their turn.
    let clients: Vec<u64> = (0..limits::MAX_REPEATING + 8).map(|_| trio.ask(N3, &key, get(ReadLevel::One))).collect();
    trio.bus.clear();
    trio.wait(200);
    assert!(trio.counters(N3).held_back > 0);
    // All is asked anew, and lost.
    meet(&mut trio, since);
    trio.bus.clear();
    for _ in 0..4 {
        trio.wait(200);
        trio.carry(|_, _, message| !is(message, "sync"));
    }
    for client in clients {
        assert_eq!(value(trio.reply(client).expect("an answer")).as_deref(), Some(&b"new"[..]));
    }
}

#[test]
fn who_decides_no_longer_does_not_replace_what_came_after_it() {
    let (mut trio, key) = Trio::with_key();
    let since = moment(&mut trio);
    // n2 decides while n1 is away, and its change does not reach n3 before n1 has taken over again.
    for (node, alive) in [(N1, &[N1][..]), (N2, &[N2, N3]), (N3, &[N2, N3])] {
        let view = &mut trio.views[usize::from(node.0) - 1];
        *view = view.with_alive(|other| alive.contains(&other));
        trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
    }
    let late = |from, to, message: &Message| (from, to) == (N2, N3) && is(message, "replicate");
    let written = trio.ask(N2, &key, set("before", WriteLevel::Live));
    trio.carry(|from, to, message| !late(from, to, message));
    meet(&mut trio, since);
    let read = trio.ask(N1, &key, get(ReadLevel::Primary));
    trio.carry(|from, to, message| !late(from, to, message));
    assert_eq!(value(trio.reply(read).unwrap()).as_deref(), Some(&b"before"[..]));
    // What was read is replaced; of that n3 hears first.
    trio.ask(N1, &key, set("after", WriteLevel::One));
    trio.carry(|from, to, message| !late(from, to, message) && to != N2);
    assert_eq!(trio.held(N3, &key), Some(&b"after"[..]));
    assert_eq!(trio.reply(written), None);
    carry_all_and_wait(&mut trio);
    let outcome = trio.reply(written);
    assert!(matches!(outcome, Some(Err(Failure::Indeterminate { .. }))), "{outcome:?}");
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [Some(&b"after"[..]); 3]);
    check_quiet(&trio);
}

#[test]
fn what_is_evicted_after_it_was_listed_is_not_served_in_its_older_form() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    // Old enough that its going is news to nobody who was there all the time.
    trio.wait(20_000);
    trio.carry_all();
    meet(&mut trio, since);
    // n3 is told of the key; then the others have no room for it any more.
    trio.carry(|_, to, message| !(is(message, "fetch") && to != N3));
    for node in [N1, N2] {
        trio.at(node, |shard, time, _, out| shard.evict(time, &key, out));
    }
    carry_all_and_wait(&mut trio);
    check_quiet(&trio);
    assert_eq!([N1, N2, N3].map(|node| trio.held(node, &key)), [None; 3]);
}

/// A node believes in these, and may have missed what each wrote after that version.
fn sees(trio: &mut Trio, node: NodeId, alive: &[NodeId], since: Version) {
    let view = &mut trio.views[usize::from(node.0) - 1];
    let pull = |other| {
        let Pull { round, losses, .. } = view.pull(other).unwrap();
        Pull { round: round + 1, losses: losses + 1, since, ..view.pull(other).unwrap() }
    };
    *view = view.with(|other| alive.contains(&other), pull);
    trio.at(node, |shard, time, view, out| shard.view_changed(time, view, out));
}

#[test]
fn what_nobody_vouched_for_is_news_to_who_has_something_older() {
    let (mut trio, key, since) = away(WriteLevel::Live);
    // n2 deletes alone what n1 has too.
    [N1, N2].into_iter().for_each(|node| sees(&mut trio, node, &[node], since));
    trio.done(N2, &key, delete()).unwrap();
    // n1 hears of it by an answer about the key, and of no page of what has gone; and drops what it has.
    [N1, N2].into_iter().for_each(|node| sees(&mut trio, node, &[N1, N2], since));
    let read = trio.ask(N1, &key, get(ReadLevel::Primary));
    trio.carry(|_, _, message| is(message, "fetch") || is(message, "fetched"));
    assert_eq!((value(trio.reply(read).unwrap()), trio.held(N1, &key)), (None, None));
    // n3 comes back with what was before that, while n2 is away.
    assert_eq!(trio.held(N3, &key), Some(&b"old"[..]));
    sees(&mut trio, N2, &[N2], since);
    [N1, N3].into_iter().for_each(|node| sees(&mut trio, node, &[N1, N3], since));
    carry_all_and_wait(&mut trio);
    assert_eq!(trio.held(N3, &key), None);
}

/// Nobody shares a slot with another. Whoever hears no majority may be stood in for by somebody that it does not know
/// of, who takes writes from then on: what it sees go that is newer than that counts against theirs, what is older does
/// not.
#[test]
fn who_hears_no_majority_remembers_what_goes_of_what_was_written_since() {
    let mut trio = Trio::with(Limits::default(), 1);
    let long_ago = moment(&mut trio);
    trio.wait(60_000);
    let hears = |trio: &mut Trio, heard: &[NodeId]| {
        trio.views[0] = trio.views[0].with(|node| heard.contains(&node), |node| trio.views[0].pull(node).unwrap());
        trio.at(N1, |shard, time, view, out| shard.view_changed(time, view, out));
    };
    let remembers = |trio: &Trio, version| {
        let slot = Slot::all().find(|slot| trio.views[0].is_replica(*slot)).unwrap();
        trio.shards[0].sources.may_be_news(slot, version, trio.now.unix)
    };
    hears(&mut trio, &[]);
    let since = moment(&mut trio);
    trio.wait(60_000);
    // Another view of the same is no other beginning.
    hears(&mut trio, &[]);
    assert_eq!([long_ago, since].map(|version| remembers(&trio, version)), [false, true]);
    hears(&mut trio, &[N2]);
    assert!(!remembers(&trio, since), "of three it hears two, itself among them");
}
