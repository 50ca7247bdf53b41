//! Any text as a script: every line is refused with a sentence or carried out, and no promise is broken on the way.
//!
//! A line may let a day pass or ask for a million requests a second, so that each is followed by a few events alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine_engine::sim::{Script, World};

/// Events after each line.
const EVENTS: u64 = 50;
/// Lines of a script that are carried out.
const LINES: usize = 40;

fuzz_target!(|text: &str| {
    let Ok(script) = Script::parse(text) else { return };
    let mut world = World::new(script.config.clone());
    for line in text.lines().take(LINES) {
        if let Err(error) = world.command(line) {
            assert!(error.to_string().contains("accepted: ") || error.to_string().contains("key"), "{line:?}: {error}");
        }
        for _ in 0..EVENTS {
            world.step();
        }
    }
    assert!(world.violations().is_empty(), "{text:?}: {:?}", world.violations());
});
