//! When others stand in for whom, and when they do so no longer.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use core::time::Duration;

use super::*;
use crate::cluster::Heartbeat;
use crate::effect::Outbox;
use crate::map::Member;

const NOW: Instant = Instant(1_000_000);
const GRACE: Duration = Duration::from_secs(10);

/// A cluster as n1 sees it, whose members do at once what each edition is for, unless they are down.
struct Cluster {
    editions: Editions,
    view: View,
    down: Vec<u16>,
    now: Instant,
}

impl Cluster {
    fn new(members: u16, replicas: u8) -> Cluster {
        let member = |id: u16| Member::new(NodeId(id), format!("n{id}"));
        let map = Map::first((1..=members).map(member).collect(), replicas, 16);
        let editions = Editions::new(&Heartbeat { stand_in_after: Some(GRACE), ..Heartbeat::default() });
        Cluster { editions, view: View::first(NodeId(1), Arc::new(map)), down: Vec::new(), now: NOW }
    }

    /// These are down from now on, and all others are up.
    fn down(&mut self, down: &[u16]) {
        self.down = down.to_vec();
        self.view = self.view.with_alive(|node| !down.contains(&node.0));
        // It is seen that they are.
        self.step("");
    }

    /// Goes on by one edition, if there is one to be made: `2 filling: n3?`, with a `?` for who is away after it and a
    /// `!` for who was before.
    fn step(&mut self, reached: &str) -> String {
        let (now, view, down) = (self.now, &self.view, &self.down);
        let edition = view.map.edition();
        self.editions.note_filled(view.generation, true);
        let others = view.map.members.iter().map(|member| member.id).filter(|id| id.0 != 1 && !down.contains(&id.0));
        others.for_each(|id| self.editions.heard(id, edition, true));
        let is_reached = |node: NodeId| reached.contains(&format!("n{}", node.0));
        let made = self.editions.act(now, view, |_| true, is_reached, &mut Outbox::new());
        let Some(map) = made else { return "none".into() };
        let mut said = format!("{} {}:", map.epoch.0, map.phase);
        for member in map.members.iter().filter(|member| member.away || member.was_away) {
            let marks = [if member.away { "?" } else { "" }, if member.was_away { "!" } else { "" }];
            said.push_str(&format!(" {}{}{}", member.name, marks[0], marks[1]));
        }
        self.view = view.on(Arc::new(map), |node| !down.contains(&node.0), |node| view.pull(node).unwrap_or_default());
        said
    }

    fn check(&mut self, expected: &[&str]) {
        expected.iter().for_each(|expected| assert_eq!(self.step(""), *expected));
        assert_eq!(self.step(""), "none", "and that is all");
    }

    /// Of each slot, how many are up who keep it, at least and at most.
    fn copies(&self) -> (usize, usize) {
        let up = |slot: Slot| self.view.replicas(slot).iter().filter(|node| !self.down.contains(&node.0)).count();
        let all: Vec<usize> = Slot::all().map(up).collect();
        (all.iter().copied().min().unwrap_or(0), all.iter().copied().max().unwrap_or(0))
    }
}

#[test]
fn others_stand_in_for_who_is_down_until_it_is_back() {
    let mut cluster = Cluster::new(5, 2);
    cluster.down(&[3]);
    cluster.now = NOW + GRACE / 2;
    cluster.check(&[]);
    assert_eq!(cluster.copies(), (1, 2));
    cluster.now = NOW + GRACE;
    cluster.check(&["2 filling: n3?", "3 handing over: n3?", "4 steady: n3?!"]);
    assert_eq!(cluster.copies(), (2, 2));
    assert!(Slot::all().any(|slot| cluster.view.replicas(slot).contains(&NodeId(3))), "it keeps its slots");
    // And the next one, which keeps some of them by now.
    cluster.down(&[3, 5]);
    cluster.now = NOW + GRACE * 3;
    cluster.check(&["5 filling: n3?! n5?", "6 handing over: n3?! n5?", "7 steady: n3?! n5?!"]);
    assert_eq!(cluster.copies(), (2, 2));
    // The first one is back; who stood in for it, and is down, is not to lose what it may have.
    cluster.down(&[5]);
    cluster.check(&[]);
    cluster.down(&[]);
    cluster.check(&["9 handing over: n3! n5!", "10 steady:"]);
    assert!(Slot::all().all(|slot| cluster.view.replicas(slot).len() == 2));
}

#[test]
fn others_stand_in_for_who_has_stepped_aside_though_it_is_heard() {
    let mut cluster = Cluster::new(4, 2);
    let aside = |cluster: &Cluster, steps: bool| {
        let is_aside = |node: NodeId| steps && node == NodeId(3);
        cluster.view.with_aside(is_aside).with_alive(|_| true)
    };
    cluster.view = aside(&cluster, true);
    assert_eq!(cluster.step("n3"), "none", "it may be back in a moment");
    cluster.now = NOW + GRACE;
    cluster.view = aside(&cluster, true);
    assert_eq!(cluster.step("n3"), "2 filling: n3?");
    assert_eq!(cluster.step("n3"), "3 handing over: n3?");
    assert_eq!(cluster.step("n3"), "4 steady: n3?!");
    assert!(Slot::all().all(|slot| cluster.view.alive_replicas(slot) == 2));
    cluster.view = aside(&cluster, false);
    cluster.check(&["5 filling: n3!", "6 handing over: n3!", "7 steady:"]);
    assert!(Slot::all().all(|slot| cluster.view.replicas(slot).len() == 2));
}

#[test]
fn nobody_stands_in_where_nobody_can_or_where_that_is_not_known() {
    let check = |members, replicas, down: &[u16], reached: &str, expected: &str| {
        let mut cluster = Cluster::new(members, replicas);
        cluster.down(down);
        cluster.now = NOW + GRACE;
        assert_eq!(cluster.step(reached), expected, "{members} members, {replicas} copies, {down:?} down");
    };
    check(4, 2, &[3], "", "2 filling: n3?");
    check(4, 3, &[3], "", "2 filling: n3?");
    // Those who are left keep everything already.
    check(3, 3, &[3], "", "none");
    check(2, 2, &[2], "", "none");
    // Somebody hears it.
    check(4, 2, &[3], "n3", "none");
    // Some slots have nobody who is up: whoever comes to keep them has nothing, and takes what is written.
    check(4, 1, &[3], "", "2 filling: n3?");
    check(5, 2, &[2, 3], "", "2 filling: n2? n3?");
    // This side has no majority.
    check(4, 3, &[3, 4], "", "none");
    // Both at once.
    check(7, 3, &[3, 5], "", "2 filling: n3? n5?");
}

#[test]
fn who_has_just_gone_down_is_waited_for_before_others_stand_in_for_anybody() {
    let mut cluster = Cluster::new(7, 3);
    cluster.down(&[3]);
    cluster.now = NOW + GRACE / 2;
    cluster.down(&[3, 5]);
    cluster.now = NOW + GRACE;
    cluster.check(&[]);
    cluster.now = NOW + GRACE * 2;
    cluster.check(&["2 filling: n3? n5?", "3 handing over: n3? n5?", "4 steady: n3?! n5?!"]);
}

#[test]
fn who_goes_down_again_before_it_has_its_slots_back_stays_away() {
    let mut cluster = Cluster::new(4, 2);
    cluster.down(&[3]);
    cluster.now = NOW + GRACE;
    cluster.check(&["2 filling: n3?", "3 handing over: n3?", "4 steady: n3?!"]);
    cluster.down(&[]);
    assert_eq!(cluster.view.map.phase, Phase::Filling);
    assert!(cluster.view.map.members[2].was_away && !cluster.view.map.members[2].away);
    cluster.down = alloc::vec![3];
    cluster.view = cluster.view.with_alive(|node| node != NodeId(3));
    cluster.check(&["6 steady: n3?!"]);
    assert_eq!(cluster.copies(), (2, 2));
    cluster.down(&[]);
    cluster.check(&["8 handing over: n3!", "9 steady:"]);
}

#[test]
fn a_member_that_is_away_holds_up_what_takes_slots_from_it_and_nothing_else() {
    use crate::map::Wish;
    let mut cluster = Cluster::new(5, 2);
    cluster.down(&[3]);
    cluster.now = NOW + GRACE;
    cluster.check(&["2 filling: n3?", "3 handing over: n3?", "4 steady: n3?!"]);
    // Removed for good, without force: others have all that it has.
    let leave = Wish::Leave { name: "n3".into(), force: false };
    cluster.editions.wish(cluster.now, &cluster.view, leave).expect("others have it");
    cluster.check(&["5 filling: n3!", "6 handing over: n3!", "7 steady:"]);
    assert_eq!((cluster.copies(), cluster.view.map.members.len()), ((2, 2), 4));

    let mut cluster = Cluster::new(5, 2);
    cluster.down(&[3]);
    cluster.now = NOW + GRACE;
    cluster.check(&["2 filling: n3?", "3 handing over: n3?", "4 steady: n3?!"]);
    let weight = Wish::Weight { name: "n4".into(), weight: 3 };
    cluster.editions.wish(cluster.now, &cluster.view, weight).expect("it is there");
    cluster.check(&["5 filling: n3?!"]);
    assert_eq!(cluster.editions.awaited(&cluster.view), [NodeId(3)]);
    cluster.down(&[]);
    cluster.check(&["7 steady: n3?!", "8 filling: n3!", "9 handing over: n3!", "10 steady:"]);
}

#[test]
fn who_may_have_the_only_copies_is_removed_by_force_only() {
    use crate::map::{Refusal, Wish};
    let leave = |name: &str, force| Wish::Leave { name: name.into(), force };
    let sole = |cluster: &Cluster| {
        let members = cluster.view.map.members.iter().filter(|member| member.sole);
        members.map(|member| member.id.0).collect::<Vec<_>>()
    };
    // One after the other: what the first had others have when the second goes.
    let mut cluster = Cluster::new(6, 2);
    for (time, down) in [(1, &[3][..]), (3, &[3, 4])] {
        cluster.down(down);
        cluster.now = NOW + GRACE * time;
        (0..3).for_each(|_| assert_ne!(cluster.step(""), "none"));
    }
    assert_eq!(sole(&cluster), []);
    // Both at once: of some slots nobody who is up has a copy.
    let mut cluster = Cluster::new(6, 2);
    cluster.down(&[3, 4]);
    cluster.now = NOW + GRACE;
    cluster.check(&["2 filling: n3? n4?", "3 handing over: n3? n4?", "4 steady: n3?! n4?!"]);
    assert_eq!(sole(&cluster), [3, 4]);
    let refused = |name: &str| Err(Refusal::Sole { name: name.into() });
    for name in ["n3", "n4"] {
        assert_eq!(cluster.editions.wish(cluster.now, &cluster.view, leave(name, false)), refused(name));
    }
    // One is given up: the other one may still have what nobody else has.
    cluster.editions.wish(cluster.now, &cluster.view, leave("n3", true)).expect("by force");
    cluster.check(&["5 filling: n3! n4?!"]);
    assert_eq!((cluster.editions.awaited(&cluster.view), sole(&cluster)), (vec![NodeId(4)], vec![3, 4]));
    // It is back, and goes again when others have what it brought.
    cluster.down(&[3]);
    while cluster.step("") != "none" {}
    assert_eq!(cluster.view.map.phase, Phase::Steady);
    assert_eq!(sole(&cluster), []);
    cluster.down(&[4]);
    assert_eq!(cluster.editions.wish(cluster.now, &cluster.view, leave("n4", false)), Ok(()));
}
