//! A node that was away for a moment costs no hits once it is back: what others evicted meanwhile, in full stores,
//! makes it forget nothing that is still in use.

use std::time::Duration;

use vitrine_engine::request::Key;
use vitrine_engine::rng::Rng;
use vitrine_engine::sim::{World, WorldConfig};
use vitrine_engine::store::Limits;

/// Requests before the pause, and after the return.
const WARM: u64 = 12_000;
const MEASURED: u64 = 6_000;

#[test]
fn a_pause_costs_no_hits_once_it_is_over() {
    let control = misses_after(false);
    let paused = misses_after(true);
    eprintln!("misses of {MEASURED} requests: {control} without a pause, {paused} after one of 3 s");
    assert!(control > MEASURED / 20, "the stores must be full and evict: {control} misses");
    // One in a hundred requests more would be a dip.
    assert!(paused <= control + MEASURED / 100, "{paused} misses after a pause, {control} without");
}

/// Misses among so many requests, which begin a second after `n2` has gone on, or would have.
fn misses_after(pause: bool) -> u64 {
    let config = WorldConfig {
        seed: 3,
        limits: Limits { entries: Some(400), bytes: None },
        checks: false,
        trace: 0,
        ..WorldConfig::default()
    };
    let mut world = World::new(config);
    let mut rng = Rng::new(3, "no dip");
    // Popular keys are asked for again and again, the others push them towards the end.
    let mut keys = || {
        let popular = rng.chance(800_000);
        let number = if popular { rng.below(300) } else { 1_000 + rng.below(20_000) };
        Key::new(format!("key-{number}")).expect("a key")
    };
    play(&mut world, &mut keys, WARM);
    if pause {
        world.command("pause n2").expect("a command");
        world.run_for(Duration::from_millis(1_500));
        // Requests go on without it, and fill what is left with other things.
        play(&mut world, &mut keys, 1_000);
        world.run_for(Duration::from_millis(1_500));
        world.command("resume n2").expect("a command");
    } else {
        play(&mut world, &mut keys, 1_000);
    }
    world.run_for(Duration::from_secs(1));
    let before = world.replayed().misses;
    play(&mut world, &mut keys, MEASURED);
    world.replayed().misses - before
}

fn play(world: &mut World, keys: &mut impl FnMut() -> Key, count: u64) {
    world.replay((0..count).map(|_| keys()));
    while world.replayed().left() > 0 {
        world.run_for(Duration::from_millis(100));
    }
}
