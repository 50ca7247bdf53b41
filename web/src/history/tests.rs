use super::*;
use vitrine_engine::request::Key;
use vitrine_engine::sim::WorldConfig;

fn history() -> History {
    let mut history = History::new(World::new(WorldConfig { seed: 5, ..WorldConfig::default() }));
    history.act(Act::Workload(Some(Workload { rate: 2_000, ..Workload::default() }))).expect("a workload");
    history
}

fn state(history: &History) -> (u64, u64, Instant) {
    (history.world().events(), history.world().fingerprint(), history.world().now())
}

#[test]
fn a_replayed_trace_is_passed_again_too() {
    let mut world = World::new(WorldConfig { checks: false, ..WorldConfig::default() });
    world.replay((0..2_000_u32).map(|at| Key::new(format!("k{}", at * at % 700)).expect("a short key")));
    let mut history = History::new(world);
    history.run(Instant(8_000_000), u64::MAX >> 1);
    let numbers = |history: &History| (state(history), history.world().replayed().clone());
    let end = numbers(&history);
    assert_eq!(end.1.requests, 2_000);
    for _ in 0..100 {
        assert!(history.back());
    }
    assert!(history.world().replayed().requests < 2_000);
    history.run(Instant(8_000_000), u64::MAX >> 1);
    assert_eq!(numbers(&history), end);
}

#[test]
fn what_was_passed_is_passed_again() {
    let mut history = history();
    let mut passed = vec![];
    for step in 0..600 {
        match step {
            100 => history.act(Act::Command("n2 crash".into())).expect("a crash"),
            200 => history.act(Act::Command("c1 set k v".into())).expect("a write"),
            300 => history.act(Act::Command("n2 restart".into())).expect("a restart"),
            _ => assert!(history.forward()),
        }
        passed.push(state(&history));
    }
    for _ in 0..350 {
        assert!(history.back());
        assert!(
            passed
                .iter()
                .any(|(events, fingerprint, _)| (*events, *fingerprint) == (state(&history).0, state(&history).1))
        );
    }
    assert!(state(&history).0 < passed[300].0);
    while history.world().events() < passed[599].0 {
        assert!(history.forward());
    }
    assert_eq!(state(&history).1, passed[599].1, "what was done is done again");
}

#[test]
fn every_moment_is_come_to_from_every_other() {
    let mut history = history();
    let mut passed = vec![];
    let mut events = vec![];
    for step in 1..=60 {
        history.run(Instant(step * 10_000), u64::MAX >> 1);
        match step {
            20 => history.act(Act::Command("n2 crash".into())).expect("a crash"),
            30 => history.act(Act::Command("n2 restart".into())).expect("a restart"),
            _ => {}
        }
        passed.push(state(&history));
        events.push((seen_in(history.world()), history.world().fingerprint()));
    }
    assert!(history.keyframes.len() > 5, "{} keyframes", history.keyframes.len());
    for from in [59, 0, 31, 19, 20, 5, 58, 29, 30, 7] {
        for to in [3, 59, 19, 20, 40, 0, 30] {
            history.seek(passed[from].2);
            assert_eq!(state(&history), passed[from], "{from}");
            history.seek(passed[to].2);
            assert_eq!(state(&history), passed[to], "from {from} to {to}");
            history.seek_event(events[from].0);
            assert_eq!(seen_in(history.world()), events[from].0);
            assert!(history.world().now() <= passed[from].2);
        }
    }
    history.rewind();
    let (before, _) = history.repeated();
    history.run(passed[59].2, u64::MAX >> 1);
    assert_eq!(state(&history), passed[59]);
    let (same, other) = history.repeated();
    let passed_by = history.keyframes.len() as u64 - 1;
    assert!(same - before >= passed_by && other == 0, "{same} times the same, {other} times another");
    history.seek(Instant::NEVER);
    assert_eq!(state(&history), passed[59], "nothing is later than the end");
}

#[test]
fn what_is_planned_is_done_at_its_moment() {
    let act = |line: &str| Act::Command(line.into());
    let plan = [(0, "c1 set k v"), (50_000, "n1 crash"), (50_000, "n2 crash"), (90_000, "n1 restart")];
    let plan = plan.map(|(at, line)| (Instant(at), act(line)));
    let mut world = World::new(WorldConfig { seed: 5, ..WorldConfig::default() });
    let mut history = History::planned(world.clone(), plan.clone());
    for (at, act) in &plan {
        world.run_until(*at, u64::MAX);
        perform(&mut world, act).expect("a command");
    }
    world.run_until(Instant(200_000), u64::MAX);
    while history.world().now() < Instant(200_000) {
        history.run(Instant(200_000), 7);
    }
    assert_eq!(history.world().fingerprint(), world.fingerprint());
    history.seek(Instant(60_000));
    assert!(history.world().machines()[0].node().is_none());
    history.seek(Instant(200_000));
    assert_eq!(history.world().fingerprint(), world.fingerprint());
}

#[test]
fn doing_something_else_ends_the_old_future() {
    let mut history = history();
    history.run(Instant(50_000), 10_000);
    history.act(Act::Command("n1 crash".into())).expect("a crash");
    history.run(Instant(60_000), 10_000);
    while history.world().machines()[0].node().is_none() {
        assert!(history.back());
    }
    history.act(Act::Command("n3 crash".into())).expect("another crash");
    history.run(Instant(90_000), 10_000);
    let up: Vec<bool> = history.world().machines().iter().map(|machine| machine.node().is_some()).collect();
    assert_eq!(up, [true, true, false]);
}

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    let mut whole = history();
    whole.run(Instant(100_000), u64::MAX >> 1);
    for piece in [1, 7, 200] {
        let mut pieces = history();
        while pieces.world().now() < Instant(100_000) {
            pieces.run(Instant(100_000), piece);
        }
        assert_eq!(state(&pieces), state(&whole), "in pieces of {piece}");
    }
}

#[test]
fn the_beginning_has_no_before() {
    let mut history = history();
    while history.back() {}
    assert!(!history.back());
    assert!(history.forward());
}

#[test]
fn keyframes_are_few_however_long_the_run() {
    let mut history = history();
    history.run(Instant(30_000_000), 200_000);
    assert!(history.keyframes.len() <= MOST_KEYFRAMES);
    assert!(history.back());
}
