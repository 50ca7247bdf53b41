use core::slice::from_ref;

use super::*;
use crate::effect::Event;
use crate::record::Fsync;
use crate::sim::mark::Mark;

#[test]
fn members_come_and_go_under_load() {
    let mut world = World::new(WorldConfig { nodes: 3, seed: 7, ..WorldConfig::default() });
    world.command("workload rate=200 keys=100").unwrap();
    for line in ["join", "n1 leave", "join weight=2", "n2 drain"] {
        world.run_for(Duration::from_secs(5));
        world.command(line).unwrap();
    }
    world.run_for(Duration::from_secs(5));
    world.obey(Command::NoWorkload);
    world.peace();
    world.run_for(Duration::from_secs(5));
    world.verdict();
    assert_eq!(world.violations(), []);
    assert_eq!(world.wanted(), []);
    let marks = world.seen().marks;
    assert_eq!((marks.count(Mark::Joined), marks.count(Mark::Left)), (2, 1));
    assert_eq!(world.seen().counters.timeouts, 0, "nobody waits for slots that move");
    let members = world.machines().iter().filter(|machine| !machine.has_left());
    for map in members.filter_map(|machine| Some(&machine.node()?.view().map)) {
        assert_eq!(map.epoch.0, 13, "four changes of three editions each");
        let shares: Vec<(u16, u32)> = map.members.iter().map(|member| (member.id.0, member.weight)).collect();
        assert_eq!(shares, [(2, 0), (3, 1), (4, 1), (5, 2)]);
    }
}

#[test]
fn clients_ask_nobody_who_has_left() {
    let mut world = World::new(WorldConfig { nodes: 3, seed: 7, ..WorldConfig::default() });
    world.command("n2 leave").unwrap();
    world.run_for(Duration::from_secs(5));
    assert!(world.machines()[1].has_left());
    for client in 1..=4 {
        world.command(&format!("c{client} get k")).unwrap();
    }
    world.run_for(Duration::from_secs(1));
    let asked: Vec<(u16, u16, &str)> =
        world.history().map(|told| (told.ask.client, told.ask.node.0, told.reply.word())).collect();
    assert_eq!(asked.len(), 4);
    for expected in [(1, 1, "miss"), (2, 3, "miss"), (3, 1, "miss"), (4, 3, "miss")] {
        assert!(asked.contains(&expected), "{asked:?}");
    }
    world.command("c1@n2 get k").unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.history().last().map(|told| told.reply.word()), Some("refused"));
}

#[test]
fn a_verdict_is_given_on_doubt_and_suspicion_and_misses() {
    let what = |world: &World| world.violations().iter().map(|broken| broken.what.clone()).collect::<Vec<_>>();
    let mut world = World::new(WorldConfig { nodes: 3, seed: 7, ..WorldConfig::default() });
    world.verdict();
    assert_eq!(what(&world), ["n1 is in doubt about 64 lanes"], "it has asked nobody yet");
    let mut world = World::new(WorldConfig { nodes: 3, seed: 7, ..WorldConfig::default() });
    world.command("c1 set k v").unwrap();
    world.run_for(Duration::from_secs(2));
    world.verdict();
    assert_eq!(what(&world), [""; 0]);
    let (key, holder) = (crate::request::Key::new("k").unwrap(), |machine: &Machine| {
        machine.node().is_some_and(|node| !node.shards()[0].store().is_empty())
    });
    let (holder, other) =
        (world.machines.iter().position(holder).unwrap(), world.machines.iter().position(|m| !holder(m)).unwrap());
    let now = world.machines[holder].unix(world.now);
    let miss = Event::Read { key: key.clone(), version: None };
    let put = Event::Applied { key, version: crate::id::Version::ZERO, removed: false, primary: true };
    world.judge_misses(other, now, from_ref(&miss));
    world.judge_misses(holder, now, &[miss.clone(), put]);
    assert_eq!(what(&world), [""; 0]);
    world.judge_misses(holder, now, &[miss]);
    assert_eq!(what(&world).len(), 1);
    let mut world = World::new(WorldConfig { nodes: 3, seed: 7, ..WorldConfig::default() });
    world.command("isolate n2").unwrap();
    world.run_for(Duration::from_secs(9));
    world.verdict();
    assert_eq!(what(&world), ["n1 suspects n2, which is up"]);
    world.peace();
    world.run_for(Duration::from_secs(9));
    world.verdict();
    assert_eq!(what(&world).len(), 1);
}

#[test]
fn a_log_that_nobody_syncs_is_there_as_a_whole_or_not_at_all() {
    let mut found = Vec::new();
    for seed in 0..24 {
        let fsync = Some(Fsync::Never);
        let mut world = World::new(WorldConfig { nodes: 1, seed, fsync, ..WorldConfig::default() });
        for key in 0..12 {
            world.command(&format!("c1@n1 set k{key} v")).unwrap();
            world.run_for(Duration::from_millis(20));
        }
        world.command("n1 crash").unwrap();
        world.command("n1 restart").unwrap();
        world.run_for(Duration::from_secs(1));
        let node = world.machines()[0].node().expect("it runs");
        found.push(node.shards()[0].store().len());
        assert_eq!(world.violations(), []);
    }
    // A part of it would be that of an earlier moment.
    assert!([0, 12].iter().all(|all| found.contains(all)), "{found:?}");
    assert!(found.iter().all(|held| [0, 12].contains(held)), "{found:?}");
}
