//! One control plane, its peers played by hand.

use alloc::format;

extern crate std;

use super::*;
use crate::id::{Epoch, Slot};
use crate::time::UnixMs;
use crate::view::Member;
use crate::view::Pull;

const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

fn at(ms: u64) -> Time {
    Time { instant: Instant(ms * 1_000), unix: UnixMs(ms) }
}

fn cluster() -> Cluster {
    let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
    let map = Map::first((1..=3).map(member).collect(), 2, 8);
    Cluster::new(NodeId(1), Arc::new(map), Heartbeat::default(), 1, at(0))
}

fn tick(cluster: &mut Cluster, ms: u64) -> Outbox {
    let mut out = Outbox::new();
    cluster.tick(at(ms), || settled(ms), &mut out);
    out
}

fn pings(out: &Outbox) -> Vec<(NodeId, u64, Standing)> {
    let sent = out.effects.iter().filter_map(|effect| match effect {
        Effect::Send { to, message: Message::Ping { serial, standing, path: Path::Direct }, .. } => {
            Some((*to, *serial, standing.clone()))
        }
        _ => None,
    });
    sent.collect()
}

fn published(out: &Outbox) -> usize {
    out.effects.iter().filter(|effect| matches!(effect, Effect::Publish(_))).count()
}

fn settled(ms: u64) -> Version {
    Version::new(UnixMs(ms), 0, NodeId(9))
}

#[test]
fn who_stops_answering_is_suspected_and_who_answers_again_is_alive() {
    let mut cluster = cluster();
    let (mut views, mut life) = (0, 1);
    for ms in (0..6_000).step_by(100) {
        let mut out = tick(&mut cluster, ms);
        for (to, serial, standing) in pings(&out) {
            assert_eq!((standing.boot, standing.settled), (cluster.boot, settled(ms)));
            // Odd while it is suspected, and larger with every change.
            let lapses = if to == N3 { 0 } else { u32::from(ms >= 2_000) + u32::from(ms > 3_000) };
            assert_eq!(standing.lapses, lapses, "{to} at {ms} ms");
            // Member 2 is deaf between one and three seconds; member 3 always answers.
            if to == N3 || !(1_000..3_000).contains(&ms) {
                if to == N2 && standing.over == life {
                    life += 1;
                }
                let standing = Standing { life: if to == N2 { life } else { 1 }, ..Standing::default() };
                cluster.receive(at(ms), to, &Message::Pong { serial, path: Path::Direct, standing }, &mut out);
            }
        }
        views += published(&out);
        let expected = !(2_000..3_000).contains(&ms);
        assert_eq!(cluster.view().is_alive(N2), expected, "at {ms} ms");
        assert!(cluster.view().is_alive(N3));
    }
    // Each of the two has answered, by which a majority confirms the map; one is suspected, and is alive again.
    assert_eq!((views, life), (4, 2), "it was declared dead, and began another life");
    assert!(cluster.is_settled());
}

#[test]
fn the_map_is_trusted_and_changed_once_a_majority_has_been_heard_since() {
    let mut cluster = cluster();
    let answer = |cluster: &mut Cluster, ms, serial| {
        let pong = Message::Pong { serial, path: Path::Direct, standing: Standing::default() };
        cluster.receive(at(ms), N2, &pong, &mut Outbox::new());
        cluster.view().is_sure()
    };
    let epoch = |cluster: &Cluster| cluster.view().map.epoch.0;
    let weight = |weight| Wish::Weight { name: "n1".into(), weight };
    let asked = pings(&tick(&mut cluster, 0))[0].1;
    cluster.wish(at(1), weight(2)).expect("granted");
    tick(&mut cluster, 200);
    assert_eq!((cluster.view().is_sure(), epoch(&cluster)), (false, 1), "it has heard nobody");
    assert!(answer(&mut cluster, 201, asked), "two of three");
    tick(&mut cluster, 400);
    assert_eq!(epoch(&cluster), 2);
    // It stands still. Answers of before wait for it.
    let asked = pings(&tick(&mut cluster, 600))[0].1;
    let later = pings(&tick(&mut cluster, 1_500))[0].1;
    assert!(!answer(&mut cluster, 1_501, asked), "what was said before is no news");
    cluster.wish(at(1_502), Wish::Leave { name: "n3".into(), force: true }).expect("granted");
    tick(&mut cluster, 1_700);
    assert_eq!(epoch(&cluster), 2);
    assert!(answer(&mut cluster, 1_701, later));
    // Nobody answers: nobody is waited for any longer, but alone it changes nothing.
    let mut alone = self::cluster();
    for ms in (0..=1_300).step_by(100) {
        tick(&mut alone, ms);
    }
    alone.wish(at(1_310), weight(2)).expect("granted");
    tick(&mut alone, 1_600);
    assert_eq!((alone.view().is_sure(), epoch(&alone)), (true, 1));
}

#[test]
fn a_new_member_answers_alone_only_while_it_hears_a_majority() {
    let check = |was, answers: u64, expected| {
        let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
        let mut map = Map::first((1..=3).map(member).collect(), 2, 8);
        (map.members[2].was, map.phase) = (was, Phase::Filling);
        let mut cluster = Cluster::new(N3, Arc::new(map), Heartbeat::default(), 1, at(0));
        for ms in (0..=3_000).step_by(100) {
            let mut out = tick(&mut cluster, ms);
            for (to, serial, _) in pings(&out).into_iter().filter(|_| ms < answers) {
                let pong = Message::Pong { serial, path: Path::Direct, standing: Standing::default() };
                cluster.receive(at(ms), to, &pong, &mut out);
            }
        }
        assert_eq!(cluster.view().is_sure(), expected, "{was} before, answers for {answers} ms");
    };
    check(0, 0, false);
    check(0, 1_000, false);
    check(0, 5_000, true);
    // One that has kept slots goes on by itself where all others are dead.
    check(1, 0, true);
    check(1, 1_000, true);
}

#[test]
fn who_is_passed_over_before_it_had_slots_may_ask_again() {
    let check = |was, phase, expected| {
        let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
        let mut map = Map::first((1..=3).map(member).collect(), 2, 8);
        map.members[0].was = was;
        map.phase = phase;
        let without = Map { epoch: crate::id::Epoch(9), members: (2..=3).map(member).collect(), ..map.clone() };
        let mut cluster = Cluster::new(NodeId(1), Arc::new(map), Heartbeat::default(), 1, at(0));
        cluster.receive(at(1), N2, &Message::Map { map: Arc::new(without) }, &mut Outbox::new());
        assert!(cluster.is_expelled());
        assert_eq!(cluster.is_passed_over(), expected, "{was} before, {phase}");
    };
    check(0, Phase::Filling, true);
    check(0, Phase::Handing, true);
    check(1, Phase::Filling, false);
    check(1, Phase::Steady, false);
}

#[test]
fn an_answer_to_no_question_of_late_proves_nothing() {
    let mut cluster = cluster();
    let (_, first, standing) = pings(&tick(&mut cluster, 0))[0].clone();
    for ms in (100..=1_300).step_by(100) {
        tick(&mut cluster, ms);
    }
    assert!(!cluster.view().is_alive(N2));
    let mut out = Outbox::new();
    for serial in [first, first + 100] {
        cluster.receive(
            at(1_400),
            N2,
            &Message::Pong { serial, path: Path::Direct, standing: standing.clone() },
            &mut out,
        );
    }
    assert!(!cluster.view().is_alive(N2), "the first question is out of date, the other was never asked");
}

#[test]
fn who_is_suspected_and_asks_is_asked_back_once() {
    let mut cluster = cluster();
    for ms in (0..=1_300).step_by(100) {
        tick(&mut cluster, ms);
    }
    let ask = |cluster: &mut Cluster, serial| {
        let mut out = Outbox::new();
        cluster.receive(
            at(1_310),
            N2,
            &Message::Ping { serial, path: Path::Direct, standing: Standing::default() },
            &mut out,
        );
        pings(&out)
    };
    let asked = ask(&mut cluster, 1);
    assert_eq!(asked.len(), 1);
    assert_eq!(ask(&mut cluster, 2), [], "two that suspect each other must not ask for ever");
    let (serial, standing) = (asked[0].1, Standing::default());
    cluster.receive(at(1_320), N2, &Message::Pong { serial, path: Path::Direct, standing }, &mut Outbox::new());
    assert!(cluster.view().is_alive(N2));
}

/// What a peer says, one after the other, as (boot, lapses, settled ms), and what must be made up for with it in the
/// end: (rounds, losses, since ms), from the one round on with which every node begins, and the one loss of whom it
/// hears for the first time then: an earlier start of it may have told others what it told nobody here.
fn check(heard: &[(u64, u32, u64)], expected: (u64, u64, u64)) {
    let mut cluster = cluster();
    for (boot, lapses, ms) in heard {
        let standing = Standing { boot: *boot, lapses: *lapses, settled: settled(*ms), ..Standing::default() };
        cluster.receive(at(0), N2, &Message::Ping { serial: 1, path: Path::Direct, standing }, &mut Outbox::new());
    }
    let (rounds, losses, since) = expected;
    let since = if since == 0 { Version::ZERO } else { settled(since) };
    let pull = cluster.view().pull(N2);
    let boot = heard.last().map_or(0, |(boot, ..)| *boot);
    let first = u64::from(!heard.is_empty());
    let (round, losses) = (1 + first + rounds, first + losses);
    assert_eq!(pull, Some(Pull { round, losses, since, boot, life: 0, tells: false }), "{heard:?}");
    assert_eq!(cluster.view().pull(N3), Some(Pull { round: 1, ..Pull::default() }));
}

#[test]
fn what_a_peer_says_of_itself_shows_who_was_away() {
    check(&[], (0, 0, 0));
    // Nothing but time passes.
    check(&[(7, 0, 10), (7, 0, 20), (7, 0, 15)], (0, 0, 0));
    // It has restarted: what it wrote up to the last that was settled has reached this node.
    check(&[(7, 0, 10), (7, 0, 20), (8, 0, 90)], (1, 1, 20));
    // It suspects this node: what it says is settled is settled without this one.
    check(&[(7, 0, 10), (7, 1, 50)], (1, 0, 10));
    // And believes in it again: a listing counts only from now on.
    check(&[(7, 0, 10), (7, 1, 50), (7, 1, 60), (7, 2, 70)], (2, 0, 10));
    check(&[(7, 0, 10), (7, 2, 70), (7, 3, 80)], (2, 0, 70));
    // An old message is overtaken by a newer one.
    check(&[(7, 0, 10), (7, 2, 70), (7, 1, 60), (7, 0, 20)], (1, 0, 10));
    // Who suspects a stranger has told it nothing.
    check(&[(7, 1, 50), (7, 2, 60)], (1, 0, 0));
}

#[test]
fn who_says_that_editions_have_passed_it_by_is_asked_for_all() {
    let mut cluster = cluster();
    let mut says = |boot, skips, expected| {
        let standing = Standing { boot, skips, settled: settled(10), ..Standing::default() };
        cluster.receive(at(0), N2, &Message::Ping { serial: 1, path: Path::Direct, standing }, &mut Outbox::new());
        let pull = cluster.view().pull(N2).expect("a member");
        assert_eq!((pull.round, pull.losses, pull.since), expected, "start {boot}, {skips} skips");
    };
    says(7, 0, (2, 1, Version::ZERO));
    says(8, 0, (3, 2, settled(10)));
    says(8, 1, (4, 2, Version::ZERO));
    // It is asked once, whatever else is said meanwhile, and held up on the way.
    says(8, 1, (4, 2, Version::ZERO));
    says(8, 0, (4, 2, Version::ZERO));
    says(8, 2, (5, 2, Version::ZERO));
    says(9, 0, (6, 3, settled(10)));
    // By the first that is heard of that start.
    says(10, 1, (8, 4, Version::ZERO));
}

#[test]
fn only_who_is_passed_by_while_others_lose_slots_says_so() {
    let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
    let goes_to = |hears: bool, epoch, members: Vec<Member>| {
        let mut cluster = cluster();
        if !hears {
            for ms in (0..=2_000).step_by(100) {
                tick(&mut cluster, ms);
            }
        }
        assert_eq!(cluster.view().may_be_passed_by(), !hears);
        let map = Map { epoch: crate::id::Epoch(epoch), ..Map::first(members, 2, 8) };
        cluster.receive(at(2_001), N2, &Message::Map { map: Arc::new(map) }, &mut Outbox::new());
        assert_eq!(cluster.view().map.epoch.0, epoch);
        let standing = Standing::default();
        let mut out = Outbox::new();
        cluster.receive(at(2_002), N2, &Message::Ping { serial: 1, path: Path::Direct, standing }, &mut out);
        let said = out.effects.iter().find_map(|effect| match effect {
            Effect::Send { message: Message::Pong { standing, .. }, .. } => Some(standing.skips),
            _ => None,
        });
        said.expect("it answers")
    };
    let three = || (1..=3).map(member).collect::<Vec<_>>();
    let two = || three()[..2].to_vec();
    assert_eq!(goes_to(true, 3, three()), 0, "the same three keep all");
    assert_eq!(goes_to(true, 2, two()), 0, "it has been told of each edition");
    assert_eq!(goes_to(true, 3, two()), 1, "what the third had told it, it may have told nobody else");
    assert_eq!(goes_to(false, 2, two()), 1, "as well since the others heard it last");
    assert_eq!(goes_to(false, 2, three()), 0, "the same three keep all");
}

#[test]
fn who_goes_by_an_earlier_map_is_told_of_the_one_held_here_whether_it_asks_or_not() {
    let mut cluster = cluster();
    let earlier = Arc::clone(&cluster.view().map);
    let later = Arc::new(Map { epoch: Epoch(earlier.epoch.0 + 1), ..(*earlier).clone() });
    let told = |cluster: &mut Cluster, from: u16, map: &Arc<Map>| {
        let mut out = Outbox::new();
        match cluster.view().member(NodeId(from)) {
            Some(_) => cluster.receive(at(1), NodeId(from), &Message::Map { map: Arc::clone(map) }, &mut out),
            None => {
                cluster.receive_from_stranger(at(1), NodeId(from), &Message::Map { map: Arc::clone(map) }, &mut out)
            }
        }
        let answer = |effect: &Effect| match effect {
            Effect::Send { to, message: Message::Map { map }, .. } if to.0 == from => Some(map.edition()),
            _ => None,
        };
        out.effects.iter().filter_map(answer).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut cluster, 2, &earlier), []);
    cluster.receive(at(1), NodeId(2), &Message::Map { map: Arc::clone(&later) }, &mut Outbox::new());
    assert_eq!(told(&mut cluster, 2, &earlier), [later.edition()], "a member");
    assert_eq!(told(&mut cluster, 9, &earlier), [later.edition()], "one that is none by this map");
    assert_eq!(told(&mut cluster, 2, &later), [], "it goes by that one already");
}

#[test]
fn a_node_that_stood_still_suspects_nobody_and_asks_everybody() {
    let mut cluster = cluster();
    let pull = |round, losses| Pull { round, losses, since: settled(1_000), boot: 7, life: 0, tells: true };
    let answer = |cluster: &mut Cluster, out: &Outbox, ms| {
        let standing = Standing { boot: 7, lapses: 0, settled: settled(ms), ..Standing::default() };
        for (to, serial, _) in pings(out) {
            let pong = Message::Pong { serial, path: Path::Direct, standing: standing.clone() };
            cluster.receive(at(ms), to, &pong, &mut Outbox::new());
        }
    };
    for ms in (0..=1_000).step_by(100) {
        let out = tick(&mut cluster, ms);
        answer(&mut cluster, &out, ms);
        assert_eq!(published(&out), 0);
    }
    assert_eq!(cluster.trusted_until(), at(1_600).instant);
    let out = tick(&mut cluster, 4_000);
    assert_eq!(published(&out), 1);
    for node in [N2, N3] {
        assert!(cluster.view().is_alive(node));
        assert_eq!(cluster.view().pull(node), Some(pull(3, 1)));
    }
    // Patience begins anew, and ends.
    for ms in (4_100..=5_200).step_by(100) {
        tick(&mut cluster, ms);
    }
    assert!(!cluster.view().is_alive(N2));
    assert_eq!(cluster.view().pull(N2), Some(pull(4, 2)));
}

/// A cluster of three whose other members answer at once, each with what `says` makes of its standing; for that long.
fn answered(cluster: &mut Cluster, ms: std::ops::Range<u64>, says: impl Fn(NodeId, &mut Standing)) -> Vec<Event> {
    let mut events = Vec::new();
    for ms in ms.step_by(100) {
        let mut out = Outbox::watching();
        cluster.tick(at(ms), || settled(ms), &mut out);
        for (to, serial, _) in pings(&out) {
            let mut standing = Standing { boot: 7, life: 1, settled: settled(ms), ..Standing::default() };
            says(to, &mut standing);
            cluster.receive(at(ms), to, &Message::Pong { serial, path: Path::Direct, standing }, &mut out);
        }
        events.append(&mut out.events);
    }
    events
}

fn steps(events: &[Event]) -> Vec<bool> {
    let step = |event: &Event| if let Event::Aside { aside } = event { Some(*aside) } else { None };
    events.iter().filter_map(step).collect()
}

#[test]
fn who_cannot_write_its_log_steps_aside_where_others_can() {
    // Whose logs fail, for how long; who falls silent then; and what becomes of this node.
    let check = |failing: u64, others: &[NodeId], silent: &[NodeId], expected: &[bool]| {
        let mut cluster = cluster();
        answered(&mut cluster, 0..1_000, |_, _| ());
        cluster.note_failing(true);
        let says = |node, standing: &mut Standing| standing.failing = others.contains(&node);
        let mut events = answered(&mut cluster, 1_000..1_000 + failing, says);
        if !silent.is_empty() {
            for ms in (1_000 + failing..4_000 + failing).step_by(100) {
                let mut out = Outbox::watching();
                cluster.tick(at(ms), || settled(ms), &mut out);
                events.append(&mut out.events);
            }
        }
        assert_eq!(steps(&events), expected, "for {failing} ms, {others:?} fail, {silent:?} silent");
        cluster
    };
    check(1_100, &[], &[], &[]);
    let aside = check(2_000, &[], &[], &[true]);
    let view = aside.view();
    assert!(aside.is_aside() && view.is_aside(NodeId(1)) && !view.is_alive(NodeId(1)) && view.is_alive(N2));
    assert!(Slot::all().all(|slot| !view.answers(slot) && view.primary(slot).is_some_and(|node| node != view.me)));
    // Some slots are kept by this node and one other.
    check(2_000, &[N2], &[], &[]);
    check(2_000, &[N2, N3], &[], &[]);
    // Nobody else answers for its slots any more: better from what is there than not at all.
    check(2_000, &[], &[N2, N3], &[true, false]);
}

#[test]
fn who_comes_back_asks_what_it_missed_before_it_answers() {
    let mut cluster = cluster();
    answered(&mut cluster, 0..1_000, |_, _| ());
    cluster.note_failing(true);
    answered(&mut cluster, 1_000..3_000, |_, standing| standing.lapses = 1);
    let before = [N2, N3].map(|node| cluster.view().pull(node).expect("a member"));
    cluster.note_failing(false);
    let mut out = Outbox::new();
    cluster.tick(at(3_000), || settled(3_000), &mut out);
    let view = Arc::clone(cluster.view());
    assert!(!cluster.is_aside() && view.is_alive(view.me) && !view.is_sure(), "it has heard nobody since");
    let sent = pings(&out);
    assert!(sent.iter().all(|(_, _, standing)| standing.steps == 2 && !standing.failing) && sent.len() == 2);
    for (node, before) in [N2, N3].into_iter().zip(before) {
        let after = view.pull(node).expect("a member");
        assert!(after.round > before.round && after.since < settled(1_300), "{after:?}");
    }
    answered(&mut cluster, 3_100..3_400, |_, standing| standing.lapses = 2);
    assert!(cluster.view().is_sure());
}

#[test]
fn who_steps_aside_is_counted_out_by_the_others_and_comes_back() {
    let mut cluster = cluster();
    answered(&mut cluster, 0..1_000, |_, _| ());
    let mut says = |ms: std::ops::Range<u64>, steps| {
        let events = answered(&mut cluster, ms, |node, standing| {
            if node == N2 {
                (standing.steps, standing.failing) = (steps, steps == 1);
            }
        });
        let view = Arc::clone(cluster.view());
        let health = cluster.routes().way(N2).map(|way| way.health);
        (view.is_alive(N2), view.is_aside(N2), health.expect("a member"), cluster.counters().given_up, events)
    };
    let (alive, aside, health, given_up, events) = says(1_000..1_300, 1);
    assert_eq!((alive, aside, health, given_up), (false, true, Health::Aside, 0));
    assert!(events.contains(&Event::Suspected { member: N2, aside: true }), "{events:?}");
    // A heartbeat that was overtaken changes nothing.
    let (alive, aside, ..) = says(1_300..1_600, 0);
    assert_eq!((alive, aside), (false, true));
    let (alive, aside, health, _, events) = says(1_600..1_900, 2);
    // These peers say nothing in the membership protocol.
    assert!(alive && !aside && health <= Health::Suspect, "{health:?}");
    assert!(events.contains(&Event::Alive { member: N2 }), "{events:?}");
}

#[test]
fn who_has_started_again_is_asked_at_once() {
    let mut cluster = cluster();
    answered(&mut cluster, 0..1_000, |_, _| ());
    let says = |boot| Standing { boot, life: 1, settled: settled(900), ..Standing::default() };
    // Nobody had time to suspect it, and what it is asked for waits for an answer of its present start.
    for (boot, asked, tells) in [(7, 0, true), (8, 1, false), (8, 0, false)] {
        let mut out = Outbox::new();
        let ping = Message::Ping { serial: 1, path: Path::Direct, standing: says(boot) };
        cluster.receive(at(910), N2, &ping, &mut out);
        assert_eq!(pings(&out).len(), asked, "start {boot}");
        assert_eq!(cluster.view().pull(N2).expect("a member").tells, tells, "start {boot}");
    }
    let (serial, path) = (cluster.serial, Path::Direct);
    cluster.receive(at(920), N2, &Message::Pong { serial, path, standing: says(8) }, &mut Outbox::new());
    assert!(cluster.view().pull(N2).expect("a member").tells && cluster.view().is_alive(N2));
}

#[test]
fn what_an_earlier_start_said_of_itself_counts_no_longer_however_late_it_comes() {
    let mut cluster = cluster();
    answered(&mut cluster, 0..1_000, |_, _| ());
    let says = |boot, life| Standing { boot, life, settled: settled(900), ..Standing::default() };
    let ping = |cluster: &mut Cluster, ms, standing| {
        let ping = Message::Ping { serial: 1, path: Path::Direct, standing };
        cluster.receive(at(ms), N2, &ping, &mut Outbox::new());
        cluster.view().pull(N2).expect("a member")
    };
    let again = ping(&mut cluster, 910, says(8, 2));
    assert_eq!((again.boot, again.life), (8, 2));
    // Held up on the way; the first would be an answer to the question that is open.
    let (serial, path) = (cluster.serial, Path::Direct);
    let pong = |serial, standing| Message::Pong { serial, path, standing };
    for late in [says(7, 1), says(7, 9), says(6, 1)] {
        cluster.receive(at(920), N2, &pong(serial, late.clone()), &mut Outbox::new());
        assert_eq!(ping(&mut cluster, 930, late.clone()), again, "{late:?}");
    }
    // A later start whose clock was set back cannot be told from an earlier one before it has answered a question that
    // was sent once the one before had been heard of last.
    assert_eq!(ping(&mut cluster, 940, says(9, 1)), again);
    tick(&mut cluster, 1_200);
    assert!(cluster.serial > serial);
    let serial = cluster.serial;
    cluster.receive(at(1_210), N2, &pong(serial, says(9, 1)), &mut Outbox::new());
    let back = cluster.view().pull(N2).expect("a member");
    assert_eq!((back.boot, back.life, back.losses), (9, 1, again.losses + 1));
}
