//! What holds in every body of the engine, run in Node and in a browser: the playground does what a person asks, and
//! nothing that the page sends makes it panic.

use vitrine_web::{Playground, Settings};
use wasm_bindgen_test::wasm_bindgen_test;

include!("../../../tests/data/fingerprint.rs");
include!("../../../tests/data/race.rs");

#[wasm_bindgen_test]
fn the_busy_minute_has_its_fingerprint() {
    assert_eq!(fingerprint(), FINGERPRINT);
}

#[wasm_bindgen_test]
fn seeds_of_the_swarm_have_their_fingerprints() {
    assert_eq!(seeds(), SEEDS);
}

fn playground() -> Playground {
    Playground::new(Settings::new()).ok().expect("the default settings are good")
}

/// Carries out events up to a simulated moment, in microseconds.
fn run(playground: &mut Playground, until: f64) {
    while playground.now() < until && playground.run(until, 200) > 0 {}
}

#[wasm_bindgen_test]
fn the_same_seed_gives_the_same_run() {
    let fingerprint = |seed| {
        let mut settings = Settings::new();
        settings.seed = seed;
        let mut playground = Playground::new(settings).ok().expect("good settings");
        playground.workload("zipf", 60, 1_500, 35, 500).ok().expect("a good workload");
        run(&mut playground, 200_000.0);
        playground.fingerprint()
    };
    assert_eq!(fingerprint(7), fingerprint(7));
    assert_ne!(fingerprint(7), fingerprint(8));
}

#[wasm_bindgen_test]
fn a_written_key_is_on_two_nodes_and_in_the_log() {
    let mut playground = playground();
    playground.command("c1 set greeting hello").ok().expect("a good command");
    run(&mut playground, 50_000.0);
    assert_eq!(playground.row_keys(14, 3), ["greeting", "greeting"]);
    assert_eq!(playground.rows(14, 3).len(), 2 * 7);
    let words = playground.log_words(0.0);
    assert_eq!(words.len(), playground.log(0.0).len());
    assert!(words.iter().any(|word| word.contains("greeting -> stored, 2 copies")), "{words:?}");
    // Slot and primary, then 8 numbers for each of two replicas that have it.
    let explained = playground.explain("greeting");
    assert_eq!((explained.len(), explained[4], explained[12]), (2 + 2 * 8, 1.0, 1.0));
    assert_eq!(playground.nodes().len(), 3 * 15);
    assert_eq!((playground.owners().len(), playground.primaries().len()), (2 * 16_384, 16_384));
}

#[wasm_bindgen_test]
fn members_come_and_go_and_every_slot_has_as_many_places() {
    let mut playground = playground();
    assert_eq!(playground.map(), [1.0, 0.0, 2.0, 0.0]);
    playground.command("join").ok().expect("a good command");
    let mut seen = [false; 3];
    while playground.map()[0] < 4.0 {
        let until = playground.now() + 5_000.0;
        run(&mut playground, until);
        let (phase, owners) = (playground.map()[1], playground.owners());
        seen[phase as usize] = true;
        assert_eq!(owners.len() % 16_384, 0);
        let copies = owners.len() / 16_384;
        for owners in owners.chunks(copies) {
            let held = owners.iter().take_while(|owner| **owner > 0).count();
            assert!(held >= 2 && owners[held..].iter().all(|owner| *owner == -1), "{owners:?}");
        }
    }
    assert_eq!(seen, [true; 3]);
    assert_eq!((playground.nodes().len(), playground.owners().len()), (4 * 15, 2 * 16_384));
    playground.command("n2 leave").ok().expect("a good command");
    let until = playground.now() + 5e6;
    run(&mut playground, until);
    let ids: Vec<f64> = playground.nodes().chunks(15).map(|node| node[0]).collect();
    assert_eq!((ids, playground.map()), (vec![1.0, 3.0, 4.0], vec![7.0, 0.0, 2.0, 0.0]));
}

#[wasm_bindgen_test]
fn a_trace_has_the_misses_of_an_exact_lru() {
    let mut settings = Settings::new();
    (settings.nodes, settings.replicas, settings.capacity) = (1, 1, 2);
    let mut playground = Playground::new(settings).ok().expect("good settings");
    assert!(playground.replay().is_err());
    playground.trace_start("t.txt");
    // a and b miss, a hits, c evicts b, b misses and evicts a, c hits, a misses.
    playground.trace_feed(b"a\nb\na\nc\nb\nc\na\n").ok().expect("a good trace");
    assert_eq!(playground.trace_finish().ok(), Some(7));
    playground.replay().ok().expect("a whole trace");
    run(&mut playground, 1e9);
    assert_eq!(playground.replayed(), [7.0, 7.0, 2.0, 5.0, 0.0]);
    let (fingerprint, steps) = (playground.fingerprint(), playground.steps());
    // Past the heartbeats, and past the last request: back to where it was not yet answered.
    while playground.replayed()[1] > 6.0 {
        assert_eq!(playground.step_back().ok(), Some(true));
    }
    assert!(playground.steps() < steps);
    run(&mut playground, 1e9);
    assert_eq!(playground.replayed(), [7.0, 7.0, 2.0, 5.0, 0.0]);
    assert_eq!((playground.fingerprint(), playground.steps()), (fingerprint, steps));
    settings.capacity = 20_001;
    playground.build(settings, "live", "primary").ok().expect("good settings");
    playground.replay().ok().expect("the trace is still there");
    assert!(playground.step_back().is_err());
}

#[wasm_bindgen_test]
fn a_race_has_the_hits_that_it_has_natively() {
    let mut playground = playground();
    assert!(playground.race(&[1]).is_err(), "no trace");
    playground.trace_start("t.txt");
    playground.trace_feed(raced().as_bytes()).ok().expect("a good trace");
    playground.trace_finish().ok().expect("a whole trace");
    let mut race = playground.race(&RACED_AT).ok().expect("a trace");
    assert_eq!((race.requests(), race.keys(), race.sizes()), (3_000, RACED_KEYS, RACED_AT.to_vec()));
    while !race.advance(700) {
        assert_eq!(race.asked() % 700, 0);
    }
    assert_eq!((race.asked(), race.hits()), (3_000, RACED.concat()));
    let mut other = race.again(&[RACED_AT[1]]).ok().expect("a small size");
    assert_eq!((other.asked(), other.gone().iter().all(|number| number.is_nan())), (0, true));
    while !other.advance(1_000) {}
    assert!(other.hits().iter().eq(RACED.iter().map(|hits| &hits[1])));
    // Everybody has let somebody go; nobody who could know lets one go that comes sooner than another's.
    let gone = other.gone();
    assert!(gone.len() == 10 && gone.iter().all(|number| *number >= 0.0));
    assert_eq!(gone[9], f64::INFINITY);
    assert!(playground.trace_key(gone[8] as u32).starts_with('k'));
    assert_eq!((playground.trace_key(3_000), playground.trace_key(u32::MAX)), (String::new(), String::new()));
    assert!(race.again(&[u32::MAX]).is_ok() && race.again(&vec![1_024; 800]).is_err());
}

#[wasm_bindgen_test]
fn a_raced_workload_has_the_hits_that_it_has_natively() {
    let mut playground = playground();
    assert!(playground.trace_workload("rain", 60, 35, 500, 7).is_err());
    assert_eq!(playground.trace_workload("zipf", 60, 35, 500, 7).ok(), Some(20_000));
    let mut race = playground.race(&WORKLOAD_AT).ok().expect("a trace");
    while !race.advance(700) {}
    assert_eq!(race.hits(), WORKLOAD.concat());
}

#[wasm_bindgen_test]
fn bad_input_is_an_error_and_never_a_panic() {
    let mut playground = playground();
    for line in
        ["", "hello", "c1", "c1 set", "c1 set k v ttl=0", "c1 get k read=many", "n0 crash", "n4 crash", "cut n1", "é"]
    {
        assert!(playground.command(line).is_err(), "{line:?}");
    }
    assert!(playground.workload("rain", 1, 1, 1, 0).is_err());
    assert!(playground.workload("zipf", 0, 1, 1, 0).is_err());
    let mut settings = Settings::new();
    settings.nodes = 0;
    assert!(playground.build(settings, "live", "primary").is_err());
    assert!(playground.build(Settings::new(), "most", "primary").is_err());
    playground.trace_start("t.csv");
    assert!(playground.trace_feed(b"time,size\n1,2\n").and_then(|_| playground.trace_finish()).is_err());
    for strange in [f64::NAN, f64::INFINITY, -1.0] {
        playground.run(strange, 10);
        playground.log(strange);
    }
    playground.rows(u32::MAX, u32::MAX);
    playground.explain("");
    playground.command("c1 set k v").ok().expect("it goes on");
}

/// Each step costs the browser a new view of the whole memory: many small pieces take few of them.
#[wasm_bindgen_test]
fn memory_grows_in_large_steps() {
    let size = || core::arch::wasm32::memory_size(0);
    let (before, mut last, mut steps) = (size(), size(), 0);
    let mut kept = Vec::new();
    for _ in 0..2_000 {
        kept.push(vec![1_u8; 16_000]);
        steps += u32::from(size() != last);
        last = size();
    }
    assert!(last > before, "32 MB fit into what there was: {} pages", kept.len());
    assert!(steps <= 40, "{steps} steps from {before} to {last} pages");
}
