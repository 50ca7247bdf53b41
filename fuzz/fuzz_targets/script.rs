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
/// Nodes, and points on the ring for each: a full ring takes longer to lay out than the script to run.
const NODES: u16 = 5;
const VIRTUAL_NODES: u16 = 4;

fuzz_target!(|text: &str| {
    let Ok(Script { mut config, .. }) = Script::parse(text) else { return };
    config.nodes = config.nodes.min(NODES);
    config.virtual_nodes = config.virtual_nodes.min(VIRTUAL_NODES);
    let mut world = World::new(config);
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
