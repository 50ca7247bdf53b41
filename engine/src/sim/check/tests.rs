//! Each checker can fail, and does not where nothing is wrong.

use alloc::sync::Arc;
use alloc::vec;

use bytes::Bytes;

use super::calm::BOUND;
use super::*;
use crate::effect::Event;
use crate::id::Epoch;
use crate::node::{Input, NodeConfig};
use crate::request::{Entry, Value, WriteLevel};
use crate::shard::ShardConfig;
use crate::store::{Cause, Limits};
use crate::time::{Time, UnixMs};
use crate::view::{Map, Member};

fn at(ms: u64) -> Instant {
    Instant(10_000_000 + ms * 1_000)
}

fn key() -> Key {
    Key::new("k").unwrap()
}

fn set(id: u64, value: &'static str, ttl_ms: Option<u64>) -> Ask {
    let ttl = ttl_ms.map(Duration::from_millis);
    let value = Bytes::from_static(value.as_bytes());
    of(id, Verb::Set { value, ttl, condition: Condition::Always, level: WriteLevel::Live })
}

fn get(id: u64) -> Ask {
    of(id, Verb::Get(ReadLevel::Primary))
}

fn of(id: u64, verb: Verb) -> Ask {
    Ask { id, client: 1, node: NodeId(1), key: key(), verb, timeout: Duration::from_secs(2) }
}

fn found(value: &'static str, version: u64) -> Reply {
    let value = Value { bytes: Bytes::from_static(value.as_bytes()), media: Bytes::new() };
    Reply::Outcome(Ok(Answer::Found(Entry { value, version: ver(version), deadline: None })))
}

fn stored(version: Version, copies: u8) -> Reply {
    Reply::Outcome(Ok(Answer::Stored { version, copies, created: true }))
}

fn deleted() -> Reply {
    Reply::Outcome(Ok(Answer::Deleted { copies: 0, existed: true }))
}

fn ver(stamp: u64) -> Version {
    Version { stamp, node: NodeId(1) }
}

/// A node that holds the key, if so wished, and its version there.
fn node(id: u16, filled: bool) -> (Node, Version) {
    let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
    let map = Map::first(vec![member(1), member(2)], 2, 8);
    let shard = ShardConfig {
        me: NodeId(id),
        limits: Limits::default(),
        seed: 1,
        hash_seed: (1, 2),
        retry: crate::shard::Retry::default(),
        clock_skew: Duration::ZERO,
    };
    let time = Time { instant: Instant(0), unix: true_time(Instant(0)) };
    let config = NodeConfig { shard, stripes: 1, heartbeat: crate::cluster::Heartbeat::default(), recorded: false };
    let mut node = Node::new(&config, Arc::new(map), time);
    if !filled {
        return (node, Version::ZERO);
    }
    let entry = Entry {
        value: Value { bytes: Bytes::from_static(b"v"), media: Bytes::new() },
        // Above what a node that has just started holds for outdated.
        version: Version::new(UnixMs(time.unix.0 + 1), u16::from(id == 2), NodeId(id)),
        deadline: None,
    };
    let message = crate::message::Message::Replicate {
        id: crate::id::RequestId { node: NodeId(3 - id), serial: 1 },
        key: key(),
        change: crate::message::Change::Put(entry),
    };
    let mut out = crate::effect::Outbox::new();
    // Nobody is listened to before it is known of which start it is.
    let standing = crate::message::Standing { boot: 7, ..Default::default() };
    let ping = crate::message::Message::Ping { serial: 1, path: crate::message::Path::Direct, standing };
    let origin = crate::message::Origin { boot: 7, epoch: Epoch(1) };
    for message in [ping, message] {
        node.handle(time, Input::Peer { from: NodeId(3 - id), origin, message }, &mut out);
    }
    let version = held(&node, &key()).expect("it was put there");
    (node, version)
}

/// What the checkers say after the steps: the promises broken, in order.
fn check(steps: impl FnOnce(&mut Checks), expected: &[Promise]) {
    let mut checks = Checks { reconciles: true, ..Checks::new(Duration::from_millis(100)) };
    steps(&mut checks);
    let broken: Vec<Promise> = checks.violations().iter().map(|violation| violation.promise).collect();
    assert_eq!(broken, expected, "{:?}", checks.violations());
}

/// An operation from its question to its answer.
fn operation(checks: &mut Checks, ask: &Ask, asked: u64, reply: &Reply, told: u64, nodes: &[(NodeId, &Node)]) {
    checks.asked(ask, at(asked));
    checks.reached(ask, at(asked));
    checks.answered(ask, at(asked), reply, at(told), nodes.iter().copied());
    checks.told(ask, at(asked), reply, at(told));
}

#[test]
fn p1_and_p6_what_is_read_was_written_and_is_in_time() {
    let written = |checks: &mut Checks| operation(checks, &set(1, "v", Some(1_000)), 0, &stored(ver(1), 0), 1, &[]);
    let read = |checks: &mut Checks, value, ms| operation(checks, &get(2), ms, &found(value, 1), ms, &[]);
    check(|checks| read(checks, "never written", 0), &[Promise::NoInvention, Promise::Order]);
    check(|checks| (written(checks), read(checks, "w", 10)).1, &[Promise::NoInvention, Promise::Order]);
    check(|checks| (written(checks), read(checks, "v", 1_100)).1, &[]);
    check(|checks| (written(checks), read(checks, "v", 1_101)).1, &[Promise::Ttl]);
}

#[test]
fn p2_what_was_acknowledged_is_there_or_its_going_is_explained() {
    let ((one, version), (empty, _)) = (node(1, true), node(2, false));
    let (n1, n2) = (NodeId(1), NodeId(2));
    let later = Version { stamp: version.stamp + 1, ..version };
    let write = |checks: &mut Checks, version, copies| {
        operation(checks, &set(1, "v", None), 0, &stored(version, copies), 1, &[(n1, &one), (n2, &empty)]);
    };
    check(|checks| write(checks, version, 1), &[]);
    check(|checks| write(checks, version, 2), &[Promise::NoLoss]);
    check(|checks| write(checks, later, 1), &[Promise::NoLoss]);
    // One that has crashed in between may have had it.
    check(|checks| (checks.asked(&get(9), at(0)), checks.crashed(n2, at(0)), write(checks, version, 2)).2, &[]);
    let end = |checks: &mut Checks, nodes: &[(NodeId, &Node)]| checks.end(at(2), nodes, &[]);
    check(|checks| (write(checks, version, 1), end(checks, &[(n1, &one)])).1, &[]);
    check(|checks| (write(checks, version, 1), end(checks, &[])).1, &[Promise::NoLoss]);
    check(|checks| (write(checks, version, 1), checks.crashed(n1, at(1)), end(checks, &[])).2, &[]);
    check(|checks| (write(checks, version, 1), checks.crashed(n2, at(1)), end(checks, &[])).2, &[Promise::NoLoss]);
    // What is on a disk is there when its node is.
    let back = |checks: &mut Checks, durable: Version| {
        write(checks, version, 1);
        checks.crashed_leaving(n1, at(1), &[(key(), durable)].into_iter().collect());
        checks.started(n1, Arc::clone(&one.view().map), at(1));
    };
    check(|checks| (back(checks, version), end(checks, &[(n1, &one)])).1, &[]);
    check(|checks| (back(checks, version), end(checks, &[(n1, &empty)])).1, &[Promise::NoLoss]);
    check(|checks| (back(checks, version.preceding()), end(checks, &[(n1, &empty)])).1, &[]);
    check(|checks| (back(checks, version), checks.crashed(n1, at(2)), end(checks, &[(n1, &empty)])).2, &[]);
    // Who has freed it before it was acknowledged is not asked for it, unless nobody else had it.
    let freed = Event::Moved { key: key(), version };
    let free = |checks: &mut Checks, node| {
        checks.asked(&get(9), at(0));
        checks.happened(node, &freed, at(0), |_| true);
    };
    let both = |checks: &mut Checks| {
        operation(checks, &set(1, "v", None), 0, &stored(version, 2), 1, &[(n1, &one), (n2, &one)]);
    };
    let gone = |checks: &mut Checks| (both(checks), checks.crashed(n1, at(1)), end(checks, &[])).2;
    check(|checks| (free(checks, n2), gone(checks)).1, &[]);
    check(gone, &[Promise::NoLoss]);
    check(|checks| (free(checks, n1), free(checks, n2), both(checks), end(checks, &[])).3, &[Promise::NoLoss]);
    let keeper = |checks: &mut Checks| checks.crashed(NodeId(3), at(0));
    check(|checks| (free(checks, n1), free(checks, n2), keeper(checks), both(checks), end(checks, &[])).4, &[]);
    let evicted = Event::Dropped { key: key(), version, cause: Cause::Entries };
    let evict = |checks: &mut Checks| checks.happened(n2, &evicted, at(1), |_| true);
    check(|checks| (write(checks, version, 1), evict(checks), end(checks, &[(n2, &empty)])).2, &[]);
    // Who has had it and let it go counts, unless it has crashed since, before it was asked for.
    let had = |checks: &mut Checks, crashes: bool| {
        checks.asked(&get(9), at(0));
        checks.happened(n2, &evicted, at(0), |_| true);
        if crashes {
            checks.crashed(n2, at(0));
        }
        operation(checks, &set(1, "v", None), 1, &stored(version, 2), 2, &[(n1, &one), (n2, &empty)]);
    };
    check(|checks| had(checks, false), &[]);
    check(|checks| had(checks, true), &[Promise::NoLoss]);
}

#[test]
fn p2_a_deletion_is_known_to_as_many_as_its_answer_says() {
    let ((one, version), (empty, _)) = (node(1, true), node(2, false));
    let (n1, n2) = (NodeId(1), NodeId(2));
    let later = Version { stamp: version.stamp + 1, ..version };
    let delete = |copies: u8, version: Version, told: &[NodeId], nodes: &[(NodeId, &Node)], expected: &[Promise]| {
        check(
            |checks| {
                checks.asked(&get(9), at(0));
                for node in told {
                    let primary = *node == told[0];
                    let removed = Event::Applied { key: key(), version, removed: true, primary };
                    checks.happened(*node, &removed, at(1), |_| true);
                }
                let reply = Reply::Outcome(Ok(Answer::Deleted { copies, existed: true }));
                operation(checks, &of(1, Verb::Delete(WriteLevel::Live)), 1, &reply, 2, nodes);
            },
            expected,
        );
    };
    let nodes = [(n1, &empty), (n2, &empty)];
    delete(2, later, &[n1, n2], &nodes, &[]);
    delete(1, later, &[n1], &nodes, &[]);
    delete(2, later, &[n1], &nodes, &[Promise::NoLoss]);
    delete(1, later, &[], &nodes, &[Promise::NoLoss]);
    // One of them holds what was there, or what came later.
    let nodes = [(n1, &empty), (n2, &one)];
    delete(2, later, &[n1, n2], &nodes, &[Promise::NoLoss]);
    delete(2, version, &[n1, n2], &nodes, &[Promise::NoLoss]);
    delete(2, version.preceding(), &[n1, n2], &nodes, &[]);
}

#[test]
fn p3_what_was_overwritten_or_deleted_does_not_come_back() {
    let ghosts = |level: ReadLevel, write: WriteLevel, began: u64, expected: &[Promise]| {
        check(
            |checks| {
                operation(checks, &set(1, "v", None), 0, &stored(ver(1), 0), 1, &[]);
                let delete = of(2, Verb::Delete(write));
                operation(checks, &delete, 2, &deleted(), 4, &[]);
                operation(checks, &of(3, Verb::Get(level)), began, &found("v", 1), 9, &[]);
            },
            expected,
        );
    };
    ghosts(ReadLevel::One, WriteLevel::Live, 5, &[Promise::NoGhosts]);
    ghosts(ReadLevel::Quorum, WriteLevel::Quorum, 5, &[Promise::NoGhosts]);
    ghosts(ReadLevel::Primary, WriteLevel::One, 5, &[Promise::NoGhosts, Promise::Order]);
    // The replica need not have been told, and the read need not have begun after it.
    ghosts(ReadLevel::One, WriteLevel::One, 5, &[]);
    ghosts(ReadLevel::Quorum, WriteLevel::One, 5, &[]);
    ghosts(ReadLevel::One, WriteLevel::Live, 4, &[]);

    // A write of unknown outcome may come true at any time; one that trouble came after is not counted on.
    let unknown = |checks: &mut Checks, reply: &Reply| {
        operation(checks, &set(1, "v", None), 0, reply, 1, &[]);
        let replaced = Reply::Outcome(Ok(Answer::Stored { version: ver(2), copies: 0, created: false }));
        operation(checks, &set(2, "w", None), 2, &replaced, 3, &[]);
        operation(checks, &of(3, Verb::Get(ReadLevel::One)), 5, &found("v", 1), 6, &[]);
    };
    check(|checks| unknown(checks, &Reply::Lost), &[]);
    check(|checks| unknown(checks, &stored(ver(1), 0)), &[Promise::NoGhosts]);
    let suspicion = Event::Suspected { member: NodeId(2), aside: false };
    let trouble = |checks: &mut Checks| checks.happened(NodeId(1), &suspicion, at(0), |_| true);
    check(|checks| (trouble(checks), unknown(checks, &stored(ver(1), 0))).1, &[]);
}

#[test]
fn p3_and_p4_replicas_agree_after_a_heal_and_on_nothing_that_is_out_of_date() {
    let ((one, first), (two, second), (empty, _)) = (node(1, true), node(2, true), node(2, false));
    let (n1, n2) = (NodeId(1), NodeId(2));
    let core = [n1, n2];
    let write = |checks: &mut Checks, version, nodes: &[(NodeId, &Node)]| {
        operation(checks, &set(1, "v", None), 0, &stored(version, 0), 1, nodes);
    };
    assert!(second > first);
    let end = |checks: &mut Checks, nodes: &[(NodeId, &Node)], core: &[NodeId]| checks.end(at(5), nodes, core);
    let both = [(n1, &one), (n2, &two)];
    check(
        |checks| (write(checks, second, &both), end(checks, &both, &core)).1,
        &[Promise::OneTruth, Promise::NoGhosts],
    );
    // While somebody is not of the core nothing is healed.
    check(|checks| (write(checks, second, &both), end(checks, &both, &[n1])).1, &[]);
    let apart = [(n1, &one), (n2, &empty)];
    check(|checks| (write(checks, first, &apart), end(checks, &apart, &core)).1, &[Promise::OneTruth]);
    // One of them has let it go, or has never had it for long; what went of another key, or before, is no reason.
    let evicted = |key: Key, version| Event::Dropped { key, version, cause: Cause::Bytes };
    let forget = |checks: &mut Checks| checks.happened(n2, &evicted(key(), first), at(1), |_| true);
    let lacks = |event: &Event, expected: &[Promise]| {
        let happened = |checks: &mut Checks| checks.happened(n2, event, at(1), |_| true);
        check(|checks| (write(checks, first, &apart), happened(checks), end(checks, &apart, &core)).2, expected);
    };
    lacks(&evicted(key(), first), &[]);
    lacks(&Event::LeftOut { key: key(), version: first }, &[]);
    lacks(&Event::Applied { key: key(), version: first, removed: true, primary: false }, &[]);
    lacks(&evicted(Key::new("other").unwrap(), first), &[Promise::OneTruth]);
    lacks(&evicted(key(), first.preceding()), &[Promise::OneTruth]);
    // A deletion that is known to somebody counts as well.
    let removed = Event::Applied { key: key(), version: second, removed: true, primary: true };
    let delete = |checks: &mut Checks| {
        operation(checks, &set(1, "v", None), 0, &stored(first, 0), 0, &[]);
        checks.happened(n2, &removed, at(1), |_| true);
        operation(checks, &of(2, Verb::Delete(WriteLevel::Live)), 0, &deleted(), 2, &apart);
    };
    check(
        |checks| (delete(checks), forget(checks), end(checks, &apart, &core)).2,
        &[Promise::Order, Promise::NoGhosts],
    );
    check(|checks| (delete(checks), checks.crashed(n2, at(3)), forget(checks), end(checks, &apart, &core)).3, &[]);
    // Who has freed what it knew tells nobody; who has taken it in since does.
    let taken = Event::Applied { key: key(), version: second, removed: false, primary: false };
    let freed = Event::Moved { key: key(), version: second };
    let known = |checks: &mut Checks, events: &[(NodeId, &Event)]| {
        write(checks, second, &[(n2, &two)]);
        events.iter().for_each(|(node, event)| checks.happened(*node, event, at(2), |_| true));
        end(checks, &[(n1, &one)], &core);
    };
    check(|checks| known(checks, &[]), &[Promise::NoLoss, Promise::NoGhosts]);
    check(|checks| known(checks, &[(n2, &freed)]), &[Promise::NoLoss]);
    check(|checks| known(checks, &[(n1, &taken), (n2, &freed)]), &[Promise::NoLoss, Promise::NoGhosts]);
    // Who is no member, or is not reached, cannot be asked.
    check(|checks| known(checks, &[(NodeId(3), &taken), (n2, &freed)]), &[Promise::NoLoss]);
    // And so do reads, once all has been calm for long enough.
    let calm = 10 + BOUND.as_millis() as u64;
    let read = |checks: &mut Checks, ms| operation(checks, &get(7), ms, &found("v", first.stamp), ms, &[]);
    let heal = |checks: &mut Checks| (checks.crashed(NodeId(3), at(3)), checks.calm.started(NodeId(3), at(4))).1;
    let look = |checks: &mut Checks| operation(checks, &get(6), calm, &Reply::Outcome(Ok(Answer::Missing)), calm, &[]);
    check(|checks| (delete(checks), heal(checks), read(checks, 100)).2, &[]);
    check(|checks| (delete(checks), heal(checks), look(checks), read(checks, calm + 1)).3, &[Promise::NoGhosts]);
}

#[test]
fn p5_what_clients_are_told_has_an_order() {
    let swap = |id, version| {
        let condition = Condition::Is(version);
        let value = Bytes::from(format!("v{id}"));
        of(id, Verb::Set { value, ttl: None, condition, level: WriteLevel::Live })
    };
    let replaced = Reply::Outcome(Ok(Answer::Stored { version: ver(5), copies: 0, created: false }));
    let swaps = |checks: &mut Checks, at_once: bool| {
        operation(checks, &set(1, "v", None), 0, &stored(ver(1), 0), 1, &[]);
        operation(checks, &get(2), 2, &found("v", 1), 3, &[]);
        operation(checks, &swap(3, ver(1)), 4, &replaced, 5, &[]);
        if at_once {
            operation(checks, &swap(4, ver(1)), 6, &replaced, 7, &[]);
        }
    };
    check(|checks| swaps(checks, false), &[]);
    check(|checks| swaps(checks, true), &[Promise::Order]);
    // What nobody has let go is there; a cache may forget and find again; what was deleted does not come back.
    let then = |checks: &mut Checks, ask: &Ask, reply: &Reply| {
        operation(checks, &set(1, "v", None), 0, &stored(ver(1), 0), 1, &[]);
        operation(checks, ask, 2, reply, 3, &[]);
        operation(checks, &get(3), 4, &found("v", 1), 5, &[]);
    };
    let missing = Reply::Outcome(Ok(Answer::Missing));
    check(|checks| then(checks, &get(2), &missing), &[Promise::Order]);
    let missed = |ttl: Option<u64>, event: Option<Event>, expected: &[Promise]| {
        check(
            |checks| {
                operation(checks, &set(1, "v", ttl), 0, &stored(ver(1), 0), 1, &[]);
                event.iter().for_each(|event| checks.happened(NodeId(2), event, at(2), |_| true));
                operation(checks, &get(2), 3, &missing, 4, &[]);
            },
            expected,
        );
    };
    missed(None, None, &[Promise::Order]);
    missed(Some(60_000), None, &[Promise::Order]);
    missed(Some(50), None, &[]);
    missed(None, Some(Event::Dropped { key: key(), version: ver(1), cause: Cause::Entries }), &[]);
    missed(None, Some(Event::Moved { key: key(), version: ver(1) }), &[]);
    let moving = Map { phase: crate::map::Phase::Handing, ..(*node(1, false).0.view().map).clone() };
    missed(None, Some(Event::Mapped { map: Arc::new(moving) }), &[]);
    let nothing = Reply::Outcome(Ok(Answer::Deleted { copies: 0, existed: false }));
    let delete = of(2, Verb::Delete(WriteLevel::Live));
    let removed = Event::Applied { key: key(), version: ver(2), removed: true, primary: true };
    let then = |checks: &mut Checks| {
        operation(checks, &set(1, "v", None), 0, &stored(ver(1), 0), 1, &[]);
        checks.happened(NodeId(1), &removed, at(2), |_| true);
        operation(checks, &delete, 2, &nothing, 3, &[]);
        operation(checks, &get(3), 4, &found("v", 1), 5, &[]);
    };
    check(then, &[Promise::NoGhosts, Promise::Order]);
}

fn add(id: u64, by: i64) -> Ask {
    of(id, Verb::Increment { by, level: WriteLevel::Live })
}

fn added(value: i64, version: u64, created: bool) -> Reply {
    Reply::Outcome(Ok(Answer::Added { value, version: ver(version), copies: 0, created }))
}

#[test]
fn p1_p2_and_p5_increments_are_counted_once_and_none_is_lost() {
    let first = |checks: &mut Checks| operation(checks, &add(1, 5), 0, &added(5, 1, true), 1, &[]);
    let then = |ask: Ask, reply: Reply, expected: &[Promise]| {
        check(|checks| (first(checks), operation(checks, &ask, 2, &reply, 3, &[])).1, expected);
    };
    then(add(2, 1), added(6, 2, false), &[]);
    then(get(2), found("5", 1), &[]);
    // Counted twice: more than has reached a node, and not what follows from the number before.
    then(add(2, 1), added(7, 2, false), &[Promise::NoInvention, Promise::Order]);
    then(get(2), found("6", 1), &[Promise::NoInvention, Promise::Order]);
    then(get(2), found("five", 1), &[Promise::NoInvention, Promise::Order]);
    // Lost: what is there is too little, or it begins anew for no reason.
    then(add(2, 1), added(4, 2, false), &[Promise::Order]);
    then(add(2, 1), added(1, 2, true), &[Promise::NoLoss, Promise::Order]);
    then(add(2, 1), Reply::Outcome(Err(Failure::NotANumber)), &[Promise::Order]);
    let evicted = Event::Dropped { key: key(), version: ver(1), cause: Cause::Entries };
    let anew = |checks: &mut Checks| operation(checks, &add(2, 1), 2, &added(1, 2, true), 3, &[]);
    check(|checks| (first(checks), checks.happened(NodeId(2), &evicted, at(1), |_| true), anew(checks)).2, &[]);
    check(|checks| (first(checks), checks.crashed(NodeId(3), at(1)), anew(checks)).2, &[]);
    // What came back in between is a ghost, unless one of unknown outcome may have made it.
    let again = |checks: &mut Checks, reply: &Reply| {
        first(checks);
        operation(checks, &of(2, Verb::Delete(WriteLevel::Live)), 2, &deleted(), 3, &[]);
        operation(checks, &add(3, 5), 4, reply, 5, &[]);
        operation(checks, &of(4, Verb::Get(ReadLevel::One)), 6, &found("5", 1), 7, &[]);
    };
    check(|checks| again(checks, &added(5, 2, true)), &[]);
    check(|checks| again(checks, &Reply::Lost), &[]);
    check(|checks| again(checks, &Reply::Refused), &[Promise::NoGhosts]);
}

#[test]
fn p6_a_deadline_that_was_moved_is_where_it_was_moved_to() {
    let touch = |ttl: Option<u64>| of(2, Verb::Touch { ttl: ttl.map(Duration::from_millis), level: WriteLevel::Live });
    let touched = || Reply::Outcome(Ok(Answer::Touched { version: ver(2), copies: 0 }));
    let read = |deadline: Option<u64>, ms: u64| {
        let deadline = deadline.map(|ms| UnixMs(true_time(at(0)).0 + ms));
        let Reply::Outcome(Ok(Answer::Found(entry))) = found("v", 2) else { unreachable!("it is found") };
        (Reply::Outcome(Ok(Answer::Found(Entry { deadline, ..entry }))), ms)
    };
    let steps = |ttl: Option<u64>, (reply, ms): (Reply, u64), expected: &[Promise]| {
        check(
            |checks| {
                operation(checks, &set(1, "v", Some(1_000)), 0, &stored(ver(1), 0), 1, &[]);
                operation(checks, &touch(ttl), 2, &touched(), 3, &[]);
                operation(checks, &get(3), ms, &reply, ms, &[]);
            },
            expected,
        );
    };
    steps(Some(5_000), read(Some(5_002), 4), &[]);
    steps(Some(5_000), read(Some(5_002), 5_102), &[]);
    steps(Some(5_000), read(Some(5_002), 5_104), &[Promise::Ttl]);
    // Past the deadline that it had, and past none.
    steps(None, read(None, 60_000), &[]);
    steps(Some(5_000), read(Some(1_000), 4), &[Promise::Ttl]);
    steps(Some(5_000), read(None, 4), &[Promise::Ttl]);
    steps(None, read(Some(1_000), 4), &[Promise::Ttl]);
}

#[test]
fn p5_what_is_held_in_the_end_is_what_some_order_ends_with() {
    let ((one, version), core) = (node(1, true), [NodeId(1)]);
    let end = |checks: &mut Checks| checks.end(at(9), &[(NodeId(1), &one)], &core);
    let wrote = |checks: &mut Checks, value| {
        let held = [(NodeId(1), &one)];
        operation(checks, &set(1, value, None), 0, &stored(version, 1), 1, &held);
    };
    let only = |checks: &mut Checks, value| (wrote(checks, value), end(checks)).1;
    check(|checks| only(checks, "v"), &[]);
    check(|checks| only(checks, "w"), &[Promise::Order]);
    check(|checks| (checks.crashed(NodeId(2), at(0)), only(checks, "w")).1, &[]);
}

#[test]
fn p7_and_p8_memory_is_bounded_and_every_request_ends() {
    let limits = Limits { entries: Some(5), bytes: Some(1_000) };
    assert_eq!(memory::exceeded(6, 1_000, limits, 0), None);
    assert_eq!(memory::exceeded(6, 1_100, limits, 100), None);
    assert!(memory::exceeded(7, 1_000, limits, 0).is_some());
    assert!(memory::exceeded(5, 1_001, limits, 0).is_some());
    let waited = |ms| progress::late(&get(1), at(0), at(ms));
    assert_eq!(waited(3_000), None);
    assert!(waited(3_001).is_some());
    check(|checks| checks.told(&get(1), at(0), &Reply::Lost, at(3_001)), &[Promise::Progress]);
    check(|checks| checks.stuck(at(0), "a request has no end".into()), &[Promise::Progress]);
}

#[test]
fn liveness_moves_no_slot() {
    let first = node(1, false).0.view().clone();
    let suspecting = first.with_alive(|_| false);
    let believes = |view: &View| {
        let mut checks = Checks::new(Duration::ZERO);
        checks.believes(&first, view, at(0), &|_, _| Version::ZERO);
        checks.violations().iter().map(|violation| violation.promise).collect::<Vec<_>>()
    };
    assert_eq!(believes(&suspecting), []);
    let map = Map { virtual_nodes: 9, ..(*first.map).clone() };
    assert_eq!(believes(&View::first(NodeId(1), Arc::new(map))), [Promise::Placement]);
}

#[test]
fn a_version_has_one_value() {
    let twice = |checks: &mut Checks, value| {
        operation(checks, &set(1, "v", None), 0, &stored(ver(1), 0), 1, &[]);
        operation(checks, &set(2, "w", None), 0, &stored(ver(1), 0), 1, &[]);
        operation(checks, &of(3, Verb::Get(ReadLevel::One)), 1, &found("v", 1), 2, &[]);
        operation(checks, &of(4, Verb::Get(ReadLevel::One)), 1, &found(value, 1), 2, &[]);
    };
    check(|checks| twice(checks, "v"), &[]);
    check(|checks| twice(checks, "w"), &[Promise::OneTruth]);
}
