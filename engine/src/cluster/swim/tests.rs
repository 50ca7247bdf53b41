//! The protocol by itself: a few nodes that hand each other their packets.

extern crate std;

use super::*;
use crate::effect::Effect;

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

/// Three nodes, and the packets under way.
#[derive(Clone)]
struct Net {
    nodes: Vec<Swim>,
    under_way: Vec<(NodeId, NodeId, Bytes)>,
    now: Instant,
    /// Ways that lead nowhere.
    cut: Vec<(NodeId, NodeId)>,
    heard: Vec<(NodeId, News)>,
}

impl Net {
    fn new() -> Net {
        let members = [N1, N2, N3];
        let made = members.map(|me| {
            let mut swim = Swim::new(me, Heartbeat::default(), u64::from(me.0), UnixMs(1_000));
            swim.set_members(&members, Instant(0), &mut Outbox::new());
            swim.recorded(Instant(0));
            swim
        });
        let mut net =
            Net { nodes: made.into(), under_way: Vec::new(), now: Instant(0), cut: Vec::new(), heard: Vec::new() };
        // As heartbeats do, each tells the others its life.
        for me in members {
            for other in members {
                net.act(me, |swim, now, out| swim.leads(now, other, life(other), out));
            }
        }
        net
    }

    fn node(&mut self, node: NodeId) -> &mut Swim {
        &mut self.nodes[usize::from(node.0) - 1]
    }

    fn act(&mut self, node: NodeId, act: impl FnOnce(&mut Swim, Instant, &mut Outbox) -> Vec<News>) {
        let (mut out, now) = (Outbox::new(), self.now);
        let news = act(self.node(node), now, &mut out);
        self.heard.extend(news.into_iter().map(|news| (node, news)));
        for effect in out.effects {
            let Effect::Send { to, message: Message::Gossip { data }, .. } = effect else { continue };
            self.under_way.push((node, to, data));
        }
    }

    /// Lets time pass in steps of 20 ms: each packet takes one.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.now = self.now + Duration::from_millis(20);
            for (from, to, data) in core::mem::take(&mut self.under_way) {
                if !self.cut.contains(&(from, to)) {
                    self.act(to, |swim, now, out| swim.receive(now, from, &data, out));
                }
            }
            for node in [N1, N2, N3] {
                self.act(node, |swim, now, out| swim.tick(now, |_| Instant(0), out));
            }
        }
    }

    fn state(&self, of: NodeId, by: NodeId) -> Option<State> {
        self.nodes[usize::from(by.0) - 1].known(of).map(|known| known.state)
    }

    fn cut(&mut self, node: NodeId) {
        let others = [N1, N2, N3].into_iter().filter(|other| *other != node);
        self.cut.extend(others.flat_map(|other| [(node, other), (other, node)]));
    }
}

/// The life that a node of the net begins with.
fn life(node: NodeId) -> u64 {
    Swim::new(node, Heartbeat::default(), u64::from(node.0), UnixMs(1_000)).life()
}

#[test]
fn who_answers_is_alive_and_who_does_not_is_dead_to_all_within_two_seconds() {
    let mut net = Net::new();
    net.run(60_000);
    assert_eq!(net.heard, []);
    net.cut(N3);
    net.run(1_180);
    assert_eq!(net.heard, [], "a probe and the time for refuting it take longer");
    net.run(820);
    for by in [N1, N2] {
        assert_eq!(net.state(N3, by), Some(State::Down), "by {by}");
    }
    assert!(net.heard.contains(&(N1, News::Down(N3))) && net.heard.contains(&(N2, News::Down(N3))));
}

#[test]
fn a_link_that_is_cut_is_no_reason_to_believe_anybody_dead() {
    let mut net = Net::new();
    net.cut = Vec::from([(N1, N3), (N3, N1)]);
    net.run(60_000);
    assert_eq!(net.heard, []);
}

#[test]
fn who_was_given_up_begins_another_life_and_is_alive_again() {
    let mut net = Net::new();
    net.cut(N3);
    net.run(3_000);
    net.cut.clear();
    net.heard.clear();
    net.run(3_000);
    assert!(net.heard.contains(&(N3, News::Rejoined)), "{:?}", net.heard);
    assert!(net.node(N3).life() > life(N3));
    for by in [N1, N2] {
        assert_eq!(net.state(N3, by), Some(State::Alive), "by {by}");
    }
    // A heartbeat says it at once, and once.
    let before = net.node(N1).life();
    for over in [before - 1, before, before] {
        net.act(N1, |swim, now, out| swim.is_over(now, over, out));
    }
    assert_eq!(net.node(N1).life(), before + 1);
    // So it does where the clock was set back and others know of a later life.
    net.act(N1, |swim, now, out| swim.is_over(now, before + 70, out));
    assert_eq!(net.node(N1).life(), before + 71);
}

#[test]
fn nobody_is_declared_dead_by_whom_it_answers() {
    let mut net = Net::new();
    net.cut(N3);
    for _ in 0..500 {
        let (now, mut out) = (net.now, Outbox::new());
        net.node(N1).tick(now, |_| Instant::NEVER, &mut out);
        net.node(N2).tick(now, |_| Instant::NEVER, &mut out);
        net.now = net.now + Duration::from_millis(20);
    }
    for by in [N1, N2] {
        assert_eq!(net.state(N3, by), Some(State::Suspect), "by {by}");
    }
}

#[test]
fn a_node_that_stood_still_declares_nobody_dead_for_that() {
    let mut net = Net::new();
    net.run(1_000);
    // Its answers are under way when it goes on, ten seconds later, with its timers first.
    net.act(N1, |swim, now, out| swim.tick(now + Duration::from_millis(20), |_| Instant(0), out));
    let held = core::mem::take(&mut net.under_way);
    let later = net.now + Duration::from_secs(10);
    for node in [N1, N2, N3] {
        net.now = later;
        net.act(node, |swim, now, out| swim.tick(now, |_| Instant(0), out));
    }
    net.under_way.splice(0..0, held);
    net.run(10_000);
    assert_eq!(net.heard, []);
}

#[test]
fn a_clone_goes_the_same_way() {
    let mut net = Net::new();
    net.cut = Vec::from([(N1, N3)]);
    net.run(5_000);
    net.cut(N2);
    net.run(700);
    let mut clone = net.clone();
    // More than one chunk of the record, and a change of fortune.
    for _ in 0..2 {
        net.run(5_000);
        clone.run(5_000);
        net.cut.clear();
        clone.cut.clear();
        assert_eq!(net.under_way, clone.under_way);
        assert_eq!(net.heard, clone.heard);
    }
    assert!(net.heard.len() > 3, "{:?}", net.heard);
}

#[test]
fn a_record_that_is_full_begins_anew_and_nobody_notices() {
    let mut net = Net::new();
    net.cut = Vec::from([(N1, N3)]);
    net.run(6_000_000);
    assert_eq!(net.heard, []);
    let told = |net: &Net| net.nodes[0].record.as_ref().map_or(0, |record| record.iter().count());
    assert!((1..70_000).contains(&told(&net)), "{}", told(&net));
    net.cut(N2);
    net.run(3_000);
    assert!(net.heard.contains(&(N1, News::Down(N2))) && net.heard.contains(&(N3, News::Down(N2))));
}

#[test]
fn members_come_and_go() {
    let mut net = Net::new();
    net.act(N1, |swim, now, out| swim.set_members(&[N1, N2], now, out));
    net.run(10_000);
    assert!(net.heard.iter().all(|(_, news)| *news != News::Down(N2)), "{:?}", net.heard);
    assert_eq!(net.state(N3, N1), Some(State::Down));
    let before = net.node(N3).life();
    net.act(N1, |swim, now, out| swim.set_members(&[N1, N2, N3], now, out));
    net.act(N1, |swim, now, out| swim.leads(now, N3, before, out));
    net.run(3_000);
    assert_eq!(net.state(N3, N1), Some(State::Alive));
}

#[test]
fn what_is_no_packet_changes_nothing() {
    let mut net = Net::new();
    net.run(1_000);
    let (from, to, packet) = net.under_way.first().cloned().expect("somebody probes all the time");
    let known = net.nodes[usize::from(to.0) - 1].known.clone();
    let mut garbled = 0;
    let mut check = |packet: &[u8], from| {
        let (now, mut out) = (net.now, Outbox::new());
        let node = &mut net.nodes[usize::from(to.0) - 1];
        assert_eq!(node.receive(now, from, &Bytes::copy_from_slice(packet), &mut out), []);
        garbled += 1;
        assert_eq!((node.garbled(), &node.known), (garbled, &known), "{packet:?}");
    };
    for cut in 0..24 {
        check(&packet[..cut], from);
    }
    check(&packet, to);
    check(&[&packet[..], &[0; MAX_GOSSIP]].concat(), from);
    let mut kindless = packet.to_vec();
    kindless[22] = 12;
    check(&kindless, from);
    check(&[&packet[..24], &[0, 9], &packet[..10], &[0, 0, 4]].concat(), from);
    check(&[&packet[..24], &[0, 0, 7, 7]].concat(), from);
}

/// Whatever bytes come, nobody panics.
#[test]
fn bytes_at_random_are_survived() {
    let mut rng = Rng::new(3, "bytes");
    let mut net = Net::new();
    for round in 0..20_000_u64 {
        if round % 16 == 0 {
            net.run(20);
        }
        let Some((from, to, packet)) = net.under_way.first().cloned() else { continue };
        let mut bytes = packet.to_vec();
        for _ in 0..rng.between(1, 4) {
            let at = rng.between(2, bytes.len() as u64 - 1) as usize;
            bytes[at] = rng.u32() as u8;
        }
        bytes.truncate(rng.between(20, bytes.len() as u64) as usize);
        net.act(to, |swim, now, out| swim.receive(now, from, &bytes.clone().into(), out));
    }
}
